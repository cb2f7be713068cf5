"""Topics on a real Kafka: made explicitly, and refused when they are not what they must be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from pipeline.config import Settings
from pipeline.topics import Topic, topics

SECONDS = 10.0

T = TypeVar("T")


class KafkaUnusableError(Exception):
    """Kafka is not there, or its topics are not ours to use; one line that says what to do."""


def create_topics(settings: Settings, bootstrap: str) -> list[str]:
    """Make the topics that are missing; returns their names. Raises `KafkaUnusableError`."""
    admin = _admin(bootstrap)
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=settings.replication,
            config={"min.insync.replicas": str(max(1, settings.replication - 1)), **topic.config},
        )
        for topic in topics(settings).all()
    ]
    made = []
    for name, future in admin.create_topics(wanted, request_timeout=SECONDS).items():
        try:
            future.result()
            made.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise KafkaUnusableError(
                    f"topic {name} cannot be made: {error.args[0].str()}"
                ) from None
    if made:
        _wait_known(admin, made)
    return made


def _wait_known(admin: AdminClient, names: list[str]) -> None:
    # A topic is acknowledged before every broker knows its leaders.
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        known = _asked(lambda: admin.list_topics(timeout=SECONDS), "").topics
        if all(name in known and known[name].partitions for name in names):
            return
        time.sleep(0.05)


def check_topics(settings: Settings, bootstrap: str) -> None:
    """Refuse topics on which the promises would not hold. Raises `KafkaUnusableError`."""
    admin = _admin(bootstrap)
    known = _asked(lambda: admin.list_topics(timeout=SECONDS), bootstrap).topics
    ours = topics(settings)
    for topic in ours.all():
        if topic.name not in known:
            raise KafkaUnusableError(f"no topic {topic.name}: run `pipeline topics` first")
        count = len(known[topic.name].partitions)
        if count != topic.partitions:
            raise KafkaUnusableError(
                f"topic {topic.name} has {count} partitions, PIPELINE_PARTITIONS says"
                f" {topic.partitions}: the number is fixed once made"
            )
    for topic in ours.all():
        for key in ("cleanup.policy", "message.timestamp.type"):
            held = _config(admin, topic.name, key, bootstrap)
            wanted = topic.config.get(key, "delete" if key == "cleanup.policy" else held)
            if held != wanted:
                raise KafkaUnusableError(
                    f"topic {topic.name} has {key}={held}, it must be {wanted}: alter the topic"
                )


def topic_ids(bootstrap: str, names: list[str]) -> dict[str, str]:
    """Kafka's id of each topic: a topic made anew under the same name has another."""
    admin = _admin(bootstrap)
    described = admin.describe_topics(TopicCollection(names), request_timeout=SECONDS)
    ids = {}
    for name, future in described.items():
        ids[name] = str(_asked(future.result, bootstrap).topic_id)
    return ids


def _config(admin: AdminClient, topic: str, key: str, bootstrap: str) -> str:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    futures = admin.describe_configs([resource], request_timeout=SECONDS)
    return str(_asked(futures[resource].result, bootstrap)[key].value)


def _admin(bootstrap: str) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    _asked(lambda: admin.list_topics(timeout=SECONDS), bootstrap)
    return admin


def _asked(question: Callable[[], T], bootstrap: str) -> T:
    try:
        return question()
    except KafkaException as error:
        raise KafkaUnusableError(
            f"Kafka at {bootstrap} does not answer ({error.args[0].name()}): start it, or check"
            " PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        ) from None


def end_offsets(bootstrap: str, topic: Topic) -> dict[int, int]:
    """The offset after the last record of each partition."""
    admin = _admin(bootstrap)
    wanted = {
        TopicPartition(topic.name, number): OffsetSpec.latest()
        for number in range(topic.partitions)
    }
    found = admin.list_offsets(wanted, request_timeout=SECONDS)
    return {
        place.partition: _asked(future.result, bootstrap).offset for place, future in found.items()
    }


def committed_offsets(bootstrap: str, group: str, topic: Topic) -> dict[int, int]:
    """What `group` has committed of each partition; none where it has not."""
    admin = _admin(bootstrap)
    wanted = ConsumerGroupTopicPartitions(
        group, [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    )
    future = admin.list_consumer_group_offsets([wanted], request_timeout=SECONDS)[group]
    held = _asked(future.result, bootstrap).topic_partitions
    return {place.partition: place.offset for place in held if place.offset >= 0}
