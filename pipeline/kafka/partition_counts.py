"""The number of partitions on Kafka, for what only reads, where the settings say another."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.kafka.admin import partition_counts
from pipeline.kafka.topic_check import other_partitions
from pipeline.topics import topics


def as_on_kafka(settings: Settings) -> tuple[Settings, list[str]]:
    """`settings` with the partitions that `beacons` has, and what is wrong with their number.

    With fewer than there are, what is in the others would not be counted. Raises
    `MissingTopicError`, `KafkaUnusableError`.
    """
    counts, beacons = partition_counts(settings), topics(settings).beacons
    actual = settings.model_copy(update={"partitions": counts[beacons.name]})
    _, *others = topics(actual).all()
    found = [other_partitions(topic, counts[topic.name]) for topic in (beacons, *others)]
    return actual, [finding.text for finding in found if finding is not None]
