"""What the group has committed, looked at from outside: whether a worker could go on from it."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from pipeline.config import Settings
from pipeline.kafka.admin import end_offsets
from pipeline.kafka.refusals import refusals_told
from pipeline.kafka.security import security
from pipeline.stream.checkpoint import StateError, mark_of, refuse_a_missing_mark
from pipeline.topics import group, topics


def refused_commits(settings: Settings, *, topic_id: str, rules: str | None) -> list[str]:
    """Why a worker would refuse what stands there, a line a partition; mostly none.

    `topic_id` is Kafka's of `beacons`, `rules` the digest, None for whichever made the commit.
    """
    ours = topics(settings)
    # Before the commits: another worker may write its first one, and then records, meanwhile.
    outcomes = end_offsets(settings, ours.outcomes)
    changelog = end_offsets(settings, ours.changelog)
    # kafka-python's consumer: librdkafka's Python client mangles the metadata of a commit. Its
    # `committed` joins no group.
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group(settings),
        **security(settings).for_python(),
    )
    refused = []
    try:
        for number in range(settings.partitions):
            with refusals_told(settings):
                held = consumer.committed(TopicPartition(ours.beacons.name, number), metadata=True)
            try:
                if held is None or held.offset < 0:
                    refuse_a_missing_mark(
                        number, outcomes=outcomes[number], changelog=changelog[number]
                    )
                    continue
                mark = mark_of(held.offset, held.metadata, partition=number)
                mark.refuse_others(
                    topic_id=topic_id,
                    rules=mark.rules if rules is None else rules,
                    partition=number,
                )
            except StateError as error:
                refused.append(str(error))
    finally:
        consumer.close()
    return refused
