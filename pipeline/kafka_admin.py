"""Topics on a real Kafka: made explicitly, and refused when they are not what they must be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names have no __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from pipeline.config import Settings
from pipeline.topics import Topic, topics

SECONDS = 10.0
_AWAY = {
    KafkaError._TRANSPORT,  # noqa: SLF001  # librdkafka's own errors are named so
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
}

# What a group's coordinator answers while it is being found or reads its log: later it knows.
_LATER = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}

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
                raise _unusable(error, bootstrap, f"make topic {name}") from None
    _wait_known(admin, made, bootstrap)
    return made


def _wait_known(admin: AdminClient, names: list[str], bootstrap: str) -> None:
    # A topic is acknowledged before every broker knows its leaders.
    until = time.monotonic() + SECONDS
    while names and time.monotonic() < until:
        known = _asked(lambda: admin.list_topics(timeout=SECONDS), bootstrap, "list topics").topics
        if all(
            name in known
            and known[name].partitions
            and all(part.leader >= 0 for part in known[name].partitions.values())
            for name in names
        ):
            return
        time.sleep(0.05)


def check_topics(settings: Settings, bootstrap: str) -> None:
    """Refuse topics on which the promises would not hold. Raises `KafkaUnusableError`."""
    admin = _admin(bootstrap)
    known = _asked(lambda: admin.list_topics(timeout=SECONDS), bootstrap, "list topics").topics
    ours = topics(settings).all()
    for topic in ours:
        if topic.name not in known:
            raise KafkaUnusableError(f"no topic {topic.name}: run `pipeline topics` first")
        count = len(known[topic.name].partitions)
        if count != topic.partitions:
            raise KafkaUnusableError(
                f"topic {topic.name} has {count} partitions, not {topic.partitions}: the number is"
                " fixed once made; set PIPELINE_PARTITIONS or PIPELINE_TOPIC_PREFIX"
            )
    for topic, held in zip(ours, _configs(admin, ours, bootstrap), strict=True):
        for key, default in (("cleanup.policy", "delete"), ("message.timestamp.type", None)):
            wanted = topic.config.get(key, default)
            if wanted is not None and held[key] != wanted:
                raise KafkaUnusableError(
                    f"topic {topic.name} has {key}={held[key]}, it must be {wanted}: alter the"
                    " topic with Kafka's tools, or set another PIPELINE_TOPIC_PREFIX"
                )


def _configs(admin: AdminClient, ours: list[Topic], bootstrap: str) -> list[dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in ours]
    futures = admin.describe_configs(resources, request_timeout=SECONDS)
    found = [_asked(futures[each].result, bootstrap, "read configurations") for each in resources]
    return [{key: str(entry.value) for key, entry in config.items()} for config in found]


def topic_ids(bootstrap: str, names: list[str]) -> dict[str, str]:
    """Kafka's id of each topic: a topic made anew under the same name has another."""
    admin = _admin(bootstrap)
    described = admin.describe_topics(TopicCollection(names), request_timeout=SECONDS)
    return {
        name: str(_asked(future.result, bootstrap, f"describe topic {name}").topic_id)
        for name, future in described.items()
    }


def end_offsets(bootstrap: str, topic: Topic) -> dict[int, int]:
    """The offset after the last record of each partition."""
    admin = _admin(bootstrap)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # its one gap
    wanted = {TopicPartition(topic.name, number): latest for number in range(topic.partitions)}
    found = admin.list_offsets(wanted, request_timeout=SECONDS)
    task = f"read the end of topic {topic.name}"
    return {
        place.partition: _asked(future.result, bootstrap, task).offset
        for place, future in found.items()
    }


def committed_offsets(bootstrap: str, group: str, topic: Topic) -> dict[int, int]:
    """What `group` has committed of each partition; none where it has not."""
    _admin(bootstrap)
    wanted = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    # Not `list_consumer_group_offsets`: confluent-kafka 2.16.1 ends the whole process with a
    # segmentation fault in one of two calls to a group whose coordinator still reads its log.
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        held = _asked(
            lambda: _found_later(lambda: consumer.committed(wanted, timeout=SECONDS)),
            bootstrap,
            f"read the offsets of {group}",
        )
    finally:
        consumer.close()
    return {place.partition: place.offset for place in held if place.offset >= 0}


def _found_later(question: Callable[[], T]) -> T:
    until = time.monotonic() + SECONDS
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in _LATER or time.monotonic() > until:
                raise
        time.sleep(0.1)


def _admin(bootstrap: str) -> AdminClient:
    admin = AdminClient(
        {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
    )
    _asked(lambda: admin.list_topics(timeout=SECONDS), bootstrap, "list topics")
    return admin


def _asked(question: Callable[[], T], bootstrap: str, task: str) -> T:
    try:
        return question()
    except KafkaException as error:
        raise _unusable(error, bootstrap, task) from None


def _unusable(error: KafkaException, bootstrap: str, task: str) -> KafkaUnusableError:
    told: KafkaError = error.args[0]
    if told.code() in _AWAY:
        return KafkaUnusableError(
            f"Kafka at {bootstrap} does not answer ({told.name()}): start it, or check"
            " PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        )
    return KafkaUnusableError(f"Kafka at {bootstrap} would not {task}: {told.str()}")
