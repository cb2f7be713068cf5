"""Kafka to DuckDB: outcomes in order, with the offsets stored in the same transaction."""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import closing
from typing import Any

import msgspec
from kafka import TopicPartition

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.kafka.client_log import errors_as_one_line, log_causes
from pipeline.monitoring.monitor import Monitor
from pipeline.process.little_garbage import little_garbage
from pipeline.topics import Rejected
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.catalog.taking import CatalogTaker
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.committing import Committing
from pipeline.warehouse.load.erased import Eraser
from pipeline.warehouse.load.figures import LoaderFigures
from pipeline.warehouse.load.running import Running
from pipeline.warehouse.load.source import Source
from pipeline.warehouse.load.summing import Summing
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
    """One process, one live database, all partitions of `outcomes` and `rejected`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules = settings.rules
        Terms.of(settings)  # refuses those that are too short, before anything is opened
        self._source = Source(settings)
        self._finishing = Finishing(settings.live_database)
        self.figures = LoaderFigures(settings)
        self._written: dict[tuple[str, int], float] = {}
        self._committing_written = self._written
        self._open_database()
        self._running = Running(settings.live_database.parent)
        self._other_zones: set[tuple[str, str]] = set()
        self._ledger = Ledger.read(self._connection)
        try:
            self.figures.reached(self._source.start(self._connection, self._ledger), {})
        except BaseException:
            self._running.close()
            self._close_database()  # what is refused may be mended by another process at once
            raise

    def _open_database(self) -> None:
        settings = self._settings
        self._connection = connect_live(settings.live_database, self._rules, Resources.of(settings))
        self._finishing.look(self._connection)
        self._held = HeldRules.of(self._connection)
        self._eraser = Eraser(self._connection, settings.live_database, mode=settings.snapshot_mode)
        self._transactions = Transactions(self._connection, self._eraser)
        self._committing = Committing(self._transactions)
        self._summing = Summing(self._connection, self._transactions)
        self._publisher = SnapshotPublisher(
            self._connection,
            settings.live_database,
            settings.database,
            kept=settings.snapshots_kept,
            mode=settings.snapshot_mode,
        )
        self._publishing = Publishing(self._publisher, settings.publish_interval, self._published)
        self.figures.follow(self._publishing)
        self._archiver = Archiver(
            self._connection,
            archive_folder(settings.live_database),
            settings.database,
            after=settings.archive_after,
            mode=settings.snapshot_mode,
        )
        self._catalog = CatalogTaker(self._connection, settings.live_database)
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
                    self._tell_complete()
                if batch.erasures:
                    # What is gathered next must know them.
                    self._finish()
            self._finish()
            self._publishing.stop()

    def close(self) -> None:
        """Close the consumer and the database. A copy that is running ends, unpublished."""
        self.figures.kafka.stop()
        self._running.close()
        self._source.close()
        self._close_database()

    def _published(self, seconds: float | None) -> None:
        self.figures.published(seconds)
        if seconds is not None:
            self._running.published()

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
            for place, record in self._source.poll(min(left, _LONGEST_POLL)):
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
        """Archive or drop a day, take a catalog, add to sums, if it is time; and publish."""
        changed = [
            part.step() for part in (self._archiver, self._retention, self._catalog, self._summing)
        ]
        self.figures.look(self._connection)
        self._publishing.go_on(committed=committed or any(changed))

    def _tell_complete(self) -> None:
        """While nothing comes, and nothing waits to be committed or published."""
        until = self.figures.complete_until(self._ledger)
        if until is not None and self._publishing.unpublished_seconds == 0:
            self._running.complete(until)

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

    def _take(self, batch: LoadBatch, place: TopicPartition, record: Any) -> LoadBatch:
        """Add the record to `batch`, or to the next one, which is then returned."""
        position = self._source.after(place, record.offset)
        written_at = record.timestamp / 1000
        if self._source.is_rejected(place):
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
        log.info("loading into %s", settings.live_database)
        # Around the closing, too: a client that is closed while Kafka comes back logs much.
        with (
            log_causes(settings) as causes,
            closing(loader),
            Monitor(settings, loader.figures.metrics, loader.figures.health),
        ):
            loader.figures.kafka.start(causes.told)
            loader.run(stop)
    return 0
