"""Topics on a real Kafka: made explicitly, and refused when they are not what they must be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from confluent_kafka import (
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names have no __all__
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

from pipeline.config import Settings
from pipeline.kafka.clients import SECONDS, Connection
from pipeline.kafka.errors import KafkaUnusableError, MissingTopicError, UnfitTopicError
from pipeline.kafka.topic_check import Finding, Held, findings
from pipeline.topics import Topic, topics

log = logging.getLogger(__name__)

# What a group's coordinator answers while it is being found or reads its log: later it knows.
_LATER = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}

T = TypeVar("T")


def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing; returns their names. Raises `KafkaUnusableError`."""
    if settings.min_insync_replicas > settings.replication:
        raise KafkaUnusableError(
            "PIPELINE_MIN_INSYNC_REPLICAS is more than PIPELINE_REPLICATION: Kafka would take no"
            " record"
        )
    kafka = Connection(settings)
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=settings.replication,
            config=topic.config,
        )
        for topic in topics(settings).all()
    ]
    made = []
    for name, future in kafka.admin.create_topics(wanted, request_timeout=SECONDS).items():
        if kafka.asked(partial(_is_new, future), f"make topic {name}"):
            made.append(name)
    _wait_known(kafka, made)
    return made


def _is_new(future: Future[None]) -> bool:
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _wait_known(kafka: Connection, names: list[str]) -> None:
    # A topic is acknowledged before every broker knows its leaders.
    until = time.monotonic() + SECONDS
    while names and time.monotonic() < until:
        known = kafka.asked(lambda: kafka.admin.list_topics(timeout=SECONDS), "list topics").topics
        if all(
            name in known
            and known[name].partitions
            and all(part.leader >= 0 for part in known[name].partitions.values())
            for name in names
        ):
            return
        time.sleep(0.05)


def held_topics(settings: Settings, *, patience: float = SECONDS) -> list[Held]:
    """Our topics as Kafka has them, in our order.

    Raises `MissingTopicError`, and `KafkaUnusableError` after `patience` seconds without an answer.
    """
    kafka, ours = Connection(settings, patience=patience), topics(settings).all()
    known = _known(kafka, ours)
    configs = _configs(kafka, [topic.name for topic in ours])
    parts = {topic.name: known[topic.name].partitions.values() for topic in ours}
    return [
        Held(name, len(found), min(len(part.replicas) for part in found), config)
        for (name, found), config in zip(parts.items(), configs, strict=True)
    ]


def require_topics(settings: Settings) -> None:
    """Raises `MissingTopicError` where one of ours is not there, and `KafkaUnusableError`."""
    _known(Connection(settings), topics(settings).all())


def _known(kafka: Connection, ours: list[Topic]) -> dict[str, TopicMetadata]:
    known = kafka.asked(lambda: kafka.admin.list_topics(timeout=SECONDS), "list topics").topics
    missing = [topic.name for topic in ours if topic.name not in known]
    if missing:
        raise MissingTopicError(f"no topic {missing[0]}: run `pipeline topics` first")
    return known


def check_topics(settings: Settings, *, patience: float = SECONDS) -> None:
    """Refuse topics on which events would be lost or refused; the rest is a line in the log.

    Raises `KafkaUnusableError`, of which `UnfitTopicError` is what only a person can mend.
    """
    for finding in topic_findings(settings, held_topics(settings, patience=patience)):
        if finding.is_refusal:
            raise UnfitTopicError(finding.text)
        log.warning(finding.text)


def topic_findings(settings: Settings, held: list[Held]) -> list[Finding]:
    """Where `held`, in our order, are not what they should be; refusals first."""
    found = [
        finding
        for topic, one in zip(topics(settings).all(), held, strict=True)
        for finding in findings(topic, one, replication=settings.replication)
    ]
    return sorted(found, key=lambda finding: not finding.is_refusal)


def _configs(kafka: Connection, names: list[str]) -> list[dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = kafka.admin.describe_configs(resources, request_timeout=SECONDS)
    found = [
        kafka.asked(
            futures[each].result, f"describe the configuration of topic {each.name} (an ACL?)"
        )
        for each in resources
    ]
    return [{key: str(entry.value) for key, entry in config.items()} for config in found]


def topic_ids(settings: Settings, names: list[str]) -> dict[str, str]:
    """Kafka's id of each topic: a topic made anew under the same name has another."""
    kafka = Connection(settings)
    described = kafka.admin.describe_topics(TopicCollection(names), request_timeout=SECONDS)
    return {
        name: str(kafka.asked(future.result, f"describe topic {name}").topic_id)
        for name, future in described.items()
    }


def end_offsets(settings: Settings, topic: Topic) -> dict[int, int]:
    """The offset after the last record of each partition."""
    kafka = Connection(settings)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # its one gap
    wanted = {TopicPartition(topic.name, number): latest for number in range(topic.partitions)}
    found = kafka.admin.list_offsets(wanted, request_timeout=SECONDS)
    task = f"read the end of topic {topic.name}"
    return {
        place.partition: kafka.asked(future.result, task).offset for place, future in found.items()
    }


def committed_offsets(settings: Settings, group: str, topic: Topic) -> dict[int, int]:
    """What `group` has committed of each partition; none where it has not."""
    kafka = Connection(settings)
    wanted = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    # Not `list_consumer_group_offsets`: confluent-kafka 2.16.1 ends the whole process with a
    # segmentation fault in one of two calls to a group whose coordinator still reads its log.
    consumer = kafka.consumer(group)
    try:
        held = kafka.asked(
            lambda: _found_later(lambda: consumer.committed(wanted, timeout=SECONDS)),
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
