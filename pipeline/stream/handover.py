"""Lets the workers begin anew under adopted rules: the keys they know, then their commits."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline.config import Settings
from pipeline.domain.identity import record_key
from pipeline.domain.reached import KnownKeys, Reached, unread
from pipeline.kafka.admin import committed_offsets, topic_ids
from pipeline.kafka.client_log import errors_as_one_line
from pipeline.kafka.partitioner import home
from pipeline.kafka.security import security
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.checkpoint import Checkpoint, StateError, read_checkpoint
from pipeline.stream.fresh_start import adopted, state_of
from pipeline.topics import group, topics

# Whose states are made and sent at a time.
_DEVICES = 1_000


def has_begun(settings: Settings, era: str) -> bool:
    """Whether each partition goes on in `era`, with the number of partitions of `settings`."""
    beacons = topics(settings).beacons.name
    with _consumer(settings) as consumer:
        for number in range(settings.partitions):
            held = consumer.committed(TopicPartition(beacons, number), metadata=True)
            if held is None or held.offset < 0:
                return False
            commit = read_checkpoint(held.offset, held.metadata, partition=number)
            if (commit.era, commit.partitions) != (era, settings.partitions):
                return False
    return True


def hand_over(
    settings: Settings, reached: Mapping[int, Reached], adoptions: int
) -> Callable[[Iterable[KnownKeys]], None]:
    """Prepare that each partition begins anew under the rules of `settings`.

    What is returned writes the keys that its devices know to the changelog, and then commits; a
    partition that has begun with this adoption stays as it is.
    Raises `StateError` if a worker is in the group, now or then, and as `adopted` does.
    """
    beacons = topics(settings).beacons
    topic_id = topic_ids(settings, [beacons.name])[beacons.name]
    refuse_running_workers(settings)
    places = [TopicPartition(beacons.name, number) for number in range(settings.partitions)]
    starts = {}
    with _consumer(settings) as consumer:
        beginnings = consumer.beginning_offsets(places)
        for place in places:
            start = adopted(
                reached.get(place.partition) or unread(reached.values()),
                beginning=beginnings[place],
                topic_id=topic_id,
                rules=settings.rules.digest(),
                adoptions=adoptions,
                partitions=settings.partitions,
            )
            held = consumer.committed(place, metadata=True)
            if held is None or held.offset < 0 or not _is_of(start, held):
                starts[place.partition] = start

    def begin(known: Iterable[KnownKeys]) -> None:
        # The keys go first: workers without them would take repeats for new events.
        asyncio.run(_write(settings, starts, known))
        _commit(settings, starts)

    return begin


async def _write(
    settings: Settings, starts: Mapping[int, Checkpoint], known: Iterable[KnownKeys]
) -> None:
    producer = BatchProducer(settings)
    changelog = topics(settings).changelog.name
    try:
        devices = iter(known)
        while some := list(islice(devices, _DEVICES)):
            states = defaultdict(list)
            for device in some:
                number = home(record_key(device.store_id, device.device_key), settings.partitions)
                if start := starts.get(number):
                    states[number].append(state_of(device, start, settings.rules))
            for number, pairs in states.items():
                await producer.send(changelog, number, pairs)
    finally:
        await producer.stop()


def refuse_running_workers(settings: Settings) -> None:
    """Raises `StateError` if a worker is in the group."""
    # A Kafka that was just started lists no group that it has not read; then it knows its commits.
    committed_offsets(settings, group(settings), topics(settings).beacons)
    # A worker with a name that has just ended is a member for so long.
    until = time.monotonic() + settings.session_timeout.total_seconds() + 2
    while _has_members(settings):
        if time.monotonic() > until:
            raise StateError("workers are running: stop all of them, and start this again")
        time.sleep(1)


def _has_members(settings: Settings) -> bool:
    with errors_as_one_line(settings):
        admin = KafkaAdminClient(
            bootstrap_servers=settings.kafka_bootstrap_servers, **security(settings).for_python()
        )
        try:
            # Not `describe_groups`: it logs a warning about what Faust says of each member.
            states = {found["group_id"]: found["group_state"] for found in admin.list_groups()}
        finally:
            admin.close()
    return states.get(group(settings), "Empty") not in ("Empty", "Dead")


def _is_of(start: Checkpoint, commit: OffsetAndMetadata) -> bool:
    try:
        held = read_checkpoint(commit.offset, commit.metadata, partition=0)
    except StateError:
        return False
    return (held.era, held.topic_id) == (start.era, start.topic_id)


def _commit(settings: Settings, starts: Mapping[int, Checkpoint]) -> None:
    beacons = topics(settings).beacons.name
    commits = {
        TopicPartition(beacons, number): OffsetAndMetadata(start.offset, start.metadata(), -1)
        for number, start in starts.items()
    }
    if not commits:
        return
    with _consumer(settings) as consumer:
        consumer.assign(list(commits))
        try:
            consumer.commit(commits)
        except KafkaError as error:
            # Kafka takes a commit from outside only while the group has no members.
            raise StateError(
                f"the workers' group took no commit ({error}): stop all workers, and start this"
                " again"
            ) from None


@contextmanager
def _consumer(settings: Settings) -> Iterator[KafkaConsumer]:
    with errors_as_one_line(settings):
        # kafka-python, because confluent-kafka mangles a commit's metadata.
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            group_id=group(settings),
            enable_auto_commit=False,
            **security(settings).for_python(),
        )
        try:
            yield consumer
        finally:
            consumer.close()
