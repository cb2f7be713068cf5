"""Creates the topics, checks them, and reads their offsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names have no __all__
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

from pipeline.config import Settings
from pipeline.kafka.clients import SECONDS, KafkaAdmin
from pipeline.kafka.errors import KafkaUnusableError, MissingTopicError, UnfitTopicError
from pipeline.kafka.topic_check import ActualTopic, Finding, findings
from pipeline.topics import Topic, topics

log = logging.getLogger(__name__)

# A group's coordinator, or a partition's leader, that is being elected or reads its log.
_RETRIABLE = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}

T = TypeVar("T")


def create_topics(settings: Settings) -> list[str]:
    """Create the missing topics; returns their names. Raises `KafkaUnusableError`."""
    if settings.min_insync_replicas > settings.replication:
        raise KafkaUnusableError(
            "PIPELINE_MIN_INSYNC_REPLICAS is more than PIPELINE_REPLICATION: no record could be in"
            " so many replicas"
        )
    kafka = KafkaAdmin(settings)
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=settings.replication,
            config=topic.config,
        )
        for topic in topics(settings).all()
    ]
    created = []
    for name, future in kafka.admin.create_topics(wanted, request_timeout=SECONDS).items():
        if kafka.call(partial(_is_new, future), f"create topic {name}"):
            created.append(name)
    _wait_until_known(kafka, created)
    return created


def add_partitions(settings: Settings, wanted: int) -> None:
    """Let each topic that is keyed by device have `wanted` partitions; what has them stays.

    Raises `KafkaUnusableError`, and `UnfitTopicError` where one has more.
    """
    kafka, ours = KafkaAdmin(settings), [t for t in topics(settings).all() if t.is_by_device]
    counts = {name: len(found.partitions) for name, found in _known(kafka, ours).items()}
    for topic in ours:
        if counts[topic.name] > wanted:
            raise UnfitTopicError(
                f"topic {topic.name} has {counts[topic.name]} partitions, and Kafka can take none"
                " away: more partitions than workers cost little"
            )
    fewer = [topic.name for topic in ours if counts[topic.name] < wanted]
    if not fewer:
        return
    asked = kafka.admin.create_partitions(
        [NewPartitions(name, wanted) for name in fewer], request_timeout=SECONDS
    )
    for name, future in asked.items():
        kafka.call(future.result, f"add partitions to topic {name} (an ACL?)")
    _wait_until_known(kafka, fewer, partitions=wanted)


def _is_new(future: Future[None]) -> bool:
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _wait_until_known(kafka: KafkaAdmin, names: list[str], *, partitions: int = 1) -> None:
    # Kafka acknowledges a new topic or partition before every broker knows its leaders.
    until = time.monotonic() + SECONDS
    while names and time.monotonic() < until:
        known = kafka.call(lambda: kafka.admin.list_topics(timeout=SECONDS), "list topics").topics
        if all(
            name in known
            and len(known[name].partitions) >= partitions
            and all(part.leader >= 0 for part in known[name].partitions.values())
            for name in names
        ):
            return
        time.sleep(0.05)


def actual_topics(settings: Settings, *, patience: float = SECONDS) -> list[ActualTopic]:
    """Our topics as Kafka has them, in the order of `Topics.all`.

    Raises `MissingTopicError`, and `KafkaUnusableError` after `patience` seconds without an answer.
    """
    kafka, ours = KafkaAdmin(settings, patience=patience), topics(settings).all()
    known = _known(kafka, ours)
    configs = _configs(kafka, [topic.name for topic in ours])
    parts = {topic.name: known[topic.name].partitions.values() for topic in ours}
    return [
        ActualTopic(name, len(found), min(len(part.replicas) for part in found), config)
        for (name, found), config in zip(parts.items(), configs, strict=True)
    ]


def require_topics(settings: Settings) -> None:
    """Raise `MissingTopicError` if one of our topics does not exist, or `KafkaUnusableError`."""
    partition_counts(settings)


def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions each of our topics has. Raises as `require_topics` does."""
    known = _known(KafkaAdmin(settings), topics(settings).all())
    return {name: len(found.partitions) for name, found in known.items()}


def _known(kafka: KafkaAdmin, ours: list[Topic]) -> dict[str, TopicMetadata]:
    known = kafka.call(lambda: kafka.admin.list_topics(timeout=SECONDS), "list topics").topics
    missing = [topic.name for topic in ours if topic.name not in known]
    if missing:
        raise MissingTopicError(f"no topic {missing[0]}: run `pipeline topics` first")
    return {topic.name: known[topic.name] for topic in ours}


def check_topics(settings: Settings, *, patience: float = SECONDS) -> None:
    """Refuse topics that would lose or refuse events; log every other finding.

    Raises `KafkaUnusableError`; its subclass `UnfitTopicError` needs an operator.
    """
    for finding in topic_findings(settings, actual_topics(settings, patience=patience)):
        if finding.is_refusal:
            raise UnfitTopicError(finding.text)
        log.warning(finding.text)


def topic_findings(settings: Settings, actual: list[ActualTopic]) -> list[Finding]:
    """What is wrong with `actual`, in the order of `Topics.all`; refusals first."""
    found = [
        finding
        for topic, one in zip(topics(settings).all(), actual, strict=True)
        for finding in findings(topic, one, replication=settings.replication)
    ]
    return sorted(found, key=lambda finding: not finding.is_refusal)


def _configs(kafka: KafkaAdmin, names: list[str]) -> list[dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = kafka.admin.describe_configs(resources, request_timeout=SECONDS)
    found = [
        kafka.call(
            futures[each].result, f"describe the configuration of topic {each.name} (an ACL?)"
        )
        for each in resources
    ]
    return [{key: str(entry.value) for key, entry in config.items()} for config in found]


def topic_ids(settings: Settings, names: list[str]) -> dict[str, str]:
    """Kafka's id of each topic; a recreated topic has a new one."""
    kafka = KafkaAdmin(settings)
    described = kafka.admin.describe_topics(TopicCollection(names), request_timeout=SECONDS)
    return {
        name: str(kafka.call(future.result, f"describe topic {name}").topic_id)
        for name, future in described.items()
    }


def end_offsets(
    settings: Settings,
    topic: Topic,
    *,
    kafka: KafkaAdmin | None = None,
    patience: float | None = None,
) -> dict[int, int]:
    """The end offset of each partition.

    Raises `KafkaUnusableError`, after `patience` seconds, 10 by default, if Kafka does not answer.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # untyped
    task = f"read the end of topic {topic.name}"
    return _offsets(kafka or KafkaAdmin(settings), topic, latest, task, patience)


def offsets_at(
    settings: Settings,
    topic: Topic,
    time: datetime | None,
    *,
    kafka: KafkaAdmin | None = None,
    patience: float | None = None,
) -> dict[int, int]:
    """The first offset of each partition that was written at `time` or later; -1: none was.

    Without a time: the first that Kafka still holds. Raises as `end_offsets` does.
    """
    spec = (
        OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # untyped
        if time is None
        else OffsetSpec.for_timestamp(int(time.timestamp() * 1000))
    )
    task = f"read offsets of topic {topic.name}"
    return _offsets(kafka or KafkaAdmin(settings), topic, spec, task, patience)


def _offsets(
    kafka: KafkaAdmin, topic: Topic, spec: OffsetSpec, task: str, patience: float | None
) -> dict[int, int]:
    wanted = {TopicPartition(topic.name, number): spec for number in range(topic.partitions)}
    until = time.monotonic() + (SECONDS if patience is None else patience)

    def ask() -> dict[int, int]:
        found = kafka.admin.list_offsets(wanted, request_timeout=SECONDS)
        # Of all partitions together. `request_timeout` does not bound librdkafka's search for
        # leaders, which takes a minute and more while Kafka hangs.
        offsets = {
            place.partition: future.result(max(0.0, until - time.monotonic())).offset
            for place, future in found.items()
        }
        if OFFSET_INVALID in offsets.values():
            # As librdkafka answers, without an error, once the request timed out.
            raise TimeoutError
        return offsets

    return kafka.call(lambda: _retried(ask, until), task)


def committed_offsets(settings: Settings, group: str, topic: Topic) -> dict[int, int]:
    """The offsets that `group` has committed, by partition; partitions without one are left out."""
    kafka = KafkaAdmin(settings)
    wanted = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    # Not `list_consumer_group_offsets`: while the coordinator reads its log, half of the calls end
    # in a segmentation fault (confluent-kafka 2.16.1).
    consumer = kafka.consumer(group)
    try:
        held = kafka.call(
            lambda: _retried(
                lambda: consumer.committed(wanted, timeout=SECONDS), time.monotonic() + SECONDS
            ),
            f"read the offsets of {group}",
        )
    finally:
        consumer.close()
    return {place.partition: place.offset for place in held if place.offset >= 0}


def _retried(question: Callable[[], T], until: float) -> T:
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in _RETRIABLE or time.monotonic() > until:
                raise
        time.sleep(0.1)
