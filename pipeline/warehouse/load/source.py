"""What a loader reads: outcomes and rejected beacons, from where its warehouse stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from pipeline.config import Settings
from pipeline.kafka.admin import check_topics, topic_ids
from pipeline.kafka.security import security
from pipeline.topics import MAX_RECORD_BYTES, topics
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.transaction import Ledger

Positions = dict[tuple[str, int], int]
"""The offset after the last record that was loaded, by topic and partition."""


class Source:
    """All partitions of both topics.

    Positions come from DuckDB, never from a consumer group: a crash that undoes rows also undoes
    their positions. Raises `KafkaUnusableError` if the topics would lose or refuse records.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = topics(settings)
        check_topics(settings)
        names = [self._topics.beacons.name, self._topics.outcomes.name, self._topics.rejected.name]
        self._ids = topic_ids(settings, names)

    def start(self, connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Positions:
        """Go on where the warehouse of `connection` stopped; a new one reads what Kafka has left.

        Raises `DatabaseError` if it was loaded from other topics.
        """
        self._refuse_other_topics(connection, ledger)
        self._consumer = consumer = self._connected()
        held = {
            (topic, partition): following
            for topic, partition, following in connection.execute(
                "SELECT topic, partition, next_offset FROM positions"
            ).fetchall()
        }
        assigned = [
            TopicPartition(topic.name, partition)
            for topic in (self._topics.outcomes, self._topics.rejected)
            for partition in range(topic.partitions)
        ]
        consumer.assign(assigned)
        positions = {
            (place.topic, place.partition): held.get((place.topic, place.partition), beginning)
            for place, beginning in consumer.beginning_offsets(assigned).items()
        }
        for place in assigned:
            consumer.seek(place, positions[place.topic, place.partition])
        return positions

    def poll(self, seconds: float) -> Iterator[tuple[TopicPartition, Any]]:
        """Records that arrive within `seconds`.

        Raises `DatabaseError` if Kafka has deleted what was not loaded.
        """
        try:
            fetched = self._consumer.poll(timeout_ms=max(1, int(seconds * 1000)))
        except OffsetOutOfRangeError as error:
            raise DatabaseError(
                f"Kafka no longer holds the records where the warehouse stopped ({error}):"
                " retention overran the loader, and what it deleted is lost; start with a new"
                " database"
            ) from None
        for place, records in fetched.items():
            for record in records:
                yield place, record

    def after(self, place: TopicPartition, offset: int) -> tuple[str, str, int, int]:
        """The row of `positions` once the record at `offset` is loaded."""
        return place.topic, self._ids[place.topic], place.partition, offset + 1

    def is_rejected(self, place: TopicPartition) -> bool:
        """Whether it holds rejected beacons."""
        return bool(place.topic == self._topics.rejected.name)

    def close(self) -> None:
        """Close the consumer, which `start` has opened."""
        self._consumer.close()

    def _connected(self) -> KafkaConsumer:
        return KafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            **security(self._settings).for_python(),
            group_id=None,
            enable_auto_commit=False,
            # A position that retention has deleted must be an error, not a jump.
            auto_offset_reset="none",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            fetch_max_bytes=4 * MAX_RECORD_BYTES,
            max_poll_records=self._settings.load_records,
            fetch_max_wait_ms=200,
        )

    def _refuse_other_topics(self, connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
        beacons = self._ids[self._topics.beacons.name]
        known = {topic_id for topic_id, _ in ledger.next_origins.values()}
        held = connection.execute("SELECT topic, topic_id FROM positions").fetchall()
        wrong = [name for name, topic_id in held if self._ids.get(name, topic_id) != topic_id]
        if known - {beacons} or wrong:
            raise DatabaseError(
                f"{self._settings.live_database} was loaded from other topics than Kafka has now"
                " (topic ids differ): reconnect the old Kafka; if it is lost, `pipeline topics"
                " --adopt` goes on with the topics that there are"
            )
