"""Outcomes on a real Kafka, as workers write them, and loaders in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from confluent_kafka import Producer
from factories import MORNING, Log
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from processes import wait_for
from tables import broken_checks

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.admin import create_topics, end_offsets, topic_ids
from pipeline.stream.checkpoint import Checkpoint
from pipeline.topics import Rejected, group, topics
from pipeline.warehouse.database import DatabaseError, open_published
from pipeline.warehouse.load.loader import Loader


class OutcomeTopics:
    """The topics under `settings`, and one log of outcomes for each partition."""

    def __init__(self, settings: Settings) -> None:
        create_topics(settings)
        self.settings = settings
        self.topics = topics(settings)
        topic_id = topic_ids(settings, [self.topics.beacons.name])[self.topics.beacons.name]
        self.logs = [
            Log(settings.rules, number, topic_id=topic_id) for number in range(settings.partitions)
        ]
        self._producer = Producer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "enable.idempotence": True}
        )

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Write `outcomes` to Kafka; returns once they are acknowledged."""
        for outcome in outcomes:
            value = msgspec.json.encode(outcome)
            name, partition = self.topics.outcomes.name, outcome.origin.partition
            self._producer.produce(name, value, b"key", partition)
        assert self._producer.flush(60) == 0

    def reject(self, *reasons: str, request_id: str = "") -> None:
        """Records of `rejected`, acknowledged: the events of one request."""
        for index, reason in enumerate(reasons):
            rejected = Rejected(
                request_id=request_id,
                store_id="store",
                received_at=MORNING,
                index=index,
                reason=reason,
                detail="",
                raw="{}",
            )
            self._producer.produce(self.topics.rejected.name, msgspec.json.encode(rejected))
        assert self._producer.flush(60) == 0

    def write_rejected(self, *events: Rejected) -> None:
        """Records of `rejected`, acknowledged."""
        for rejected in events:
            self._producer.produce(self.topics.rejected.name, msgspec.json.encode(rejected))
        assert self._producer.flush(60) == 0

    def ends(self) -> dict[tuple[str, int], int]:
        """The end offset of each partition that the loader reads and that has records."""
        read = (self.topics.outcomes, self.topics.rejected)
        return {
            (topic.name, partition): end
            for topic in read
            for partition, end in end_offsets(self.settings, topic).items()
            if end
        }

    def load(self) -> None:
        """Run a loader until its snapshot holds all that is on Kafka; every check must hold."""
        with loading(self.settings):
            wait_for(lambda: positions(self.settings) == self.ends())
        assert rows(self.settings, "FROM positions") != []
        assert broken_checks(self.settings.database) == []


def commit(topics: OutcomeTopics, *, topic_id: str) -> None:
    """The commit of a worker after the first record of partition 0."""
    settings = topics.settings
    rules = settings.rules.digest()
    checkpoint = Checkpoint(offset=1, stream_time=None, topic_id=topic_id, rules=rules)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group(settings),
        enable_auto_commit=False,
    )
    place = TopicPartition(topics.topics.beacons.name, 0)
    consumer.assign([place])
    consumer.commit({place: OffsetAndMetadata(1, checkpoint.metadata(), -1)})
    consumer.close()


def run_loader(settings: Settings) -> None:
    """Run a loader in this thread, until it raises."""
    loader = Loader(settings)
    try:
        loader.run(threading.Event())
    finally:
        loader.close()


@contextmanager
def loading(settings: Settings) -> Iterator[None]:
    """A loader in a thread of its own, stopped as SIGTERM stops it."""
    loader, stop = Loader(settings), threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        try:
            loader.run(stop)
        except Exception as error:  # noqa: BLE001  # raised in the test's thread
            failures.append(error)
        finally:
            loader.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    for failure in failures:
        raise failure


def positions(settings: Settings) -> dict[tuple[str, int], int]:
    """The positions of the snapshot; empty without one."""
    try:
        found = rows(settings, "SELECT topic, partition, next_offset FROM positions")
    except DatabaseError:
        return {}
    return {(topic, partition): following for topic, partition, following in found}


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """The rows of `query` on the snapshot."""
    with open_published(settings.database) as connection:
        return connection.execute(query).fetchall()
