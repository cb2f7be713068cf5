"""Kafka to DuckDB: outcomes in order, with the offsets stored in the same transaction."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.admin import check_topics, topic_ids
from pipeline.kafka.client_log import errors_as_one_line, log_causes
from pipeline.kafka.security import security
from pipeline.little_garbage import little_garbage
from pipeline.monitoring.monitor import Monitor
from pipeline.topics import MAX_RECORD_BYTES, Rejected, topics
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.committing import Committing
from pipeline.warehouse.load.erased import Eraser
from pipeline.warehouse.load.figures import LoaderFigures
from pipeline.warehouse.load.transaction import Ledger, Transactions
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.retention.retention import Retention
from pipeline.warehouse.retention.terms import Terms
from pipeline.warehouse.snapshots.publish import SnapshotPublisher
from pipeline.warehouse.snapshots.publishing import Publishing

log = logging.getLogger(__name__)

_LONGEST_POLL = 0.1  # seconds
_outcomes = msgspec.json.Decoder(Outcome)
_rejected = msgspec.json.Decoder(Rejected)


class Loader:
    """One process, one live database, all partitions of `outcomes` and `rejected`.

    Positions come from DuckDB, never from a consumer group: a crash that undoes rows also undoes
    their positions.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = settings.rules
        Terms.of(settings)  # refuses those that are too short, before anything is opened
        self._topics = topics(settings)
        check_topics(settings)
        names = [self._topics.beacons.name, self._topics.outcomes.name, self._topics.rejected.name]
        self._ids = topic_ids(settings, names)
        self._finishing = Finishing(settings.live_database)
        self.figures = LoaderFigures(settings)
        self._written: dict[tuple[str, int], float] = {}
        self._committing_written = self._written
        self._open_database()
        self._other_zones: set[tuple[str, str]] = set()
        self._ledger = Ledger.read(self._connection)
        try:
            self._refuse_other_topics()
            self._consumer = self._connected()
            self._seek()
        except BaseException:
            self._close_database()  # what is refused may be mended by another process at once
            raise

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

    def _open_database(self) -> None:
        settings = self._settings
        self._connection = connect_live(settings.live_database, self._rules, Resources.of(settings))
        self._finishing.look(self._connection)
        self._held = HeldRules.of(self._connection)
        self._eraser = Eraser(self._connection, settings.live_database, mode=settings.snapshot_mode)
        self._transactions = Transactions(self._connection, self._eraser)
        self._committing = Committing(self._transactions)
        self._publisher = SnapshotPublisher(
            self._connection,
            settings.live_database,
            settings.database,
            kept=settings.snapshots_kept,
            mode=settings.snapshot_mode,
        )
        self._publishing = Publishing(
            self._publisher, settings.publish_interval, self.figures.published
        )
        self.figures.follow(self._publishing)
        self._archiver = Archiver(
            self._connection,
            archive_folder(settings.live_database),
            settings.database,
            after=settings.archive_after,
            mode=settings.snapshot_mode,
        )
        self._retention = Retention(
            self._connection,
            Terms.of(settings),
            partitions=settings.partitions,
            folder=archive_folder(settings.live_database),
            unnamed=self._archiver.unnamed,
        )

    def _close_database(self) -> None:
        self._committing.close()
        self._archiver.close()
        try:
            self._publisher.cancel()
        finally:
            self._connection.close()

    def _refuse_other_topics(self) -> None:
        beacons = self._ids[self._topics.beacons.name]
        known = {topic_id for topic_id, _ in self._ledger.next_origins.values()}
        held = self._connection.execute("SELECT topic, topic_id FROM positions").fetchall()
        wrong = [name for name, topic_id in held if self._ids.get(name, topic_id) != topic_id]
        if known - {beacons} or wrong:
            raise DatabaseError(
                f"{self._settings.live_database} was loaded from other topics than Kafka has now"
                " (topic ids differ): reconnect the old Kafka; if it is lost, `pipeline topics"
                " --adopt` goes on with the topics that there are"
            )

    def _seek(self) -> None:
        held = {
            (topic, partition): following
            for topic, partition, following in self._connection.execute(
                "SELECT topic, partition, next_offset FROM positions"
            ).fetchall()
        }
        assigned = [
            TopicPartition(topic.name, partition)
            for topic in (self._topics.outcomes, self._topics.rejected)
            for partition in range(topic.partitions)
        ]
        self._consumer.assign(assigned)
        beginnings = self._consumer.beginning_offsets(assigned)
        # A new warehouse reads the log from what is left of its beginning.
        positions = {
            (place.topic, place.partition): held.get((place.topic, place.partition), beginning)
            for place, beginning in beginnings.items()
        }
        for place in assigned:
            self._consumer.seek(place, positions[place.topic, place.partition])
        self.figures.reached(positions, {})

    def run(self, stop: threading.Event) -> None:
        """Load until `stop`. Raises `DatabaseError` on a hole or on outcomes of other rules."""
        with little_garbage():
            while not stop.is_set():
                batch = self._gather()
                self._finish()
                if self._finishing.is_due():
                    self._finish_erasures()
                if batch.positions:
                    self._commit(batch)
                else:
                    self._settle(committed=False)
                if batch.erasures:
                    # What is gathered next must know them.
                    self._finish()
            self._finish()
            self._publishing.stop()

    def close(self) -> None:
        """Close the consumer and the database. A copy that is running ends, unpublished."""
        self._consumer.close()
        self._close_database()

    def _gather(self) -> LoadBatch:
        """What arrives within the interval, while the batch before is committed."""
        batch = self._new_batch()
        until = time.monotonic() + self._settings.load_interval.total_seconds()
        while len(batch) < self._settings.load_records:
            left = until - time.monotonic()
            if left <= 0:
                break
            self.figures.beat()
            # Short enough that a copy is published soon after it ends.
            for place, record in self._poll(min(left, _LONGEST_POLL)):
                batch = self._take(batch, place, record)
            if not self._committing.is_running:
                self._finish()
        batch.tables()  # in this thread: it is Python's time, not DuckDB's
        return batch

    def _commit(self, batch: LoadBatch) -> None:
        self._committing_written, self._written = self._written, {}
        self._committing.start(batch)

    def _finish(self) -> None:
        """Wait for the commit that is running: nothing else may use the connection before."""
        batch = self._committing.finish()
        if batch is None:
            self._publishing.go_on()
        else:
            self.figures.committed(
                batch, seconds=self._committing.seconds, written=self._committing_written
            )
            self._finishing.is_needed = self._finishing.is_needed or bool(batch.erasures)
            self._report_other_zones(batch)
            self._settle(committed=True)

    def _settle(self, *, committed: bool) -> None:
        """Move a day into the archive, or let one go, if it is time; and publish."""
        moved, expired = self._archiver.step(), self._retention.step()
        self.figures.look(self._connection)
        self._publishing.go_on(committed=committed or moved or expired)

    def _new_batch(self) -> LoadBatch:
        return LoadBatch(self._rules, known_erasures=self._eraser.erasures)

    def _finish_erasures(self) -> None:
        """Between two commits. Nothing is loaded meanwhile."""
        settings, finishing = self._settings, self._finishing
        self._close_database()
        is_compact = finishing.attempt(
            lambda: compact(settings.live_database, self._rules, Resources.of(settings))
        )
        self._open_database()
        if is_compact:
            finishing.attempt(
                lambda: finishing.finish(self._connection, self._publisher, self._archiver)
            )

    def _report_other_zones(self, batch: LoadBatch) -> None:
        """Log, once, that a store's days stay those of the zone that the warehouse keeps (T10)."""
        for store, zone in batch.stores.items():
            kept = self._transactions.zones[store]
            if zone != kept and (store, zone) not in self._other_zones:
                self._other_zones.add((store, zone))
                log.warning(
                    "store %s now has the time zone %s, but its days stay those of %s until"
                    " `pipeline rules adopt` makes them again",
                    *(store, zone, kept),
                )

    def _poll(self, seconds: float) -> Iterator[tuple[TopicPartition, Any]]:
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

    def _take(self, batch: LoadBatch, place: TopicPartition, record: Any) -> LoadBatch:
        """Add the record to `batch`, or to the next one, which is then returned."""
        position = (place.topic, self._ids[place.topic], place.partition, record.offset + 1)
        written_at = record.timestamp / 1000
        if place.topic == self._topics.rejected.name:
            batch.positions[(place.topic, place.partition)] = position
            self._written[place.topic, place.partition] = written_at
            batch.add_rejected(_rejected.decode(record.value))
            return batch
        outcome = _outcomes.decode(record.value)
        try:
            is_present = self._held.takes(outcome.rules)
        except ValueError:
            raise DatabaseError(
                f"outcomes {place.partition}/{record.offset} were made with other rules"
                f" ({outcome.rules}, here {self._held.era}): give the workers the settings and the"
                " version of this loader; if `pipeline rules adopt` or `pipeline partitions` was"
                " interrupted, run it again"
            ) from None
        is_next = is_present and self._ledger.accepts(outcome.origin)
        if is_next and not batch.may_hold(outcome):
            self._finish()
            self._commit(batch)
            self._finish()
            batch = self._new_batch()
        batch.positions[(place.topic, place.partition)] = position
        self._written[place.topic, place.partition] = written_at
        if is_next:
            batch.add(outcome)
        return batch


def run(settings: Settings) -> int:
    """Run `pipeline load` until SIGTERM, then publish once more. Returns 0.

    Raises `DatabaseError`, and `KafkaUnusableError` when Kafka cannot be reached at the start, or
    refuses the user later.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with errors_as_one_line(settings):
        loader = Loader(settings)
        log_causes(settings)
        log.info("loading into %s", settings.live_database)
        loader.figures.kafka.start()
        try:
            with Monitor(settings, loader.figures.metrics, loader.figures.health):
                loader.run(stop)
        finally:
            loader.close()
    return 0
