"""Checks, without joining the group, whether a worker could continue from its commits."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from pipeline.config import Settings
from pipeline.kafka.admin import end_offsets
from pipeline.kafka.client_log import errors_as_one_line
from pipeline.kafka.security import security
from pipeline.stream.checkpoint import StateError, read_checkpoint, refuse_missing_commit
from pipeline.topics import group, topics


def refused_commits(settings: Settings, *, topic_id: str, rules: str | None) -> list[str]:
    """Why a worker would refuse the group's commits: a line per refused partition.

    `topic_id` is the one Kafka gave `beacons`; `rules` is the digest, None to accept any.
    """
    ours = topics(settings)
    # Before the commits are read: another worker may make the first one meanwhile, then write.
    outcomes = end_offsets(settings, ours.outcomes)
    changelog = end_offsets(settings, ours.changelog)
    # kafka-python, because confluent-kafka mangles a commit's metadata. `committed` joins no group.
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group(settings),
        **security(settings).for_python(),
    )
    refused = []
    try:
        for number in range(settings.partitions):
            with errors_as_one_line(settings):
                commit = consumer.committed(
                    TopicPartition(ours.beacons.name, number), metadata=True
                )
            try:
                if commit is None or commit.offset < 0:
                    refuse_missing_commit(
                        number, outcomes=outcomes[number], changelog=changelog[number]
                    )
                    continue
                checkpoint = read_checkpoint(commit.offset, commit.metadata, partition=number)
                checkpoint.refuse_mismatch(
                    topic_id=topic_id,
                    rules=checkpoint.rules if rules is None else rules,
                    partition=number,
                    partitions=settings.partitions,
                )
            except StateError as error:
                refused.append(str(error))
    finally:
        consumer.close()
    return refused
