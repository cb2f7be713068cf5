"""What operators see of the loader: its metrics and its health."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipeline.config import Settings
from pipeline.monitoring.heartbeat import Heartbeat
from pipeline.monitoring.kafka_ends import PATIENCE, Ends, KafkaEnds
from pipeline.monitoring.lag import Lag
from pipeline.monitoring.metrics import Metrics
from pipeline.monitoring.pages import Health
from pipeline.monitoring.progress import Progress
from pipeline.topics import topics
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.transaction import Ledger
from pipeline.warehouse.snapshots.publishing import Publishing

# Seconds between two looks into the database.
LOOK = 30.0
_COUNTS = """
    SELECT
        (SELECT coalesce(sum(bytes), 0) FROM archive_files),
        (SELECT count(*) FROM archive_files),
        (SELECT count(*) FROM hot_events),
        (SELECT count(*) FROM late_devices)
"""


class LoaderFigures:
    """Counted in the loader's thread, read in that of the pages."""

    def __init__(self, settings: Settings) -> None:
        ours = topics(settings)
        self._settings = settings
        self._heartbeat = Heartbeat()
        self._lag = Lag()
        self._progress = Progress()
        self._beacons = ours.beacons.name
        # When Kafka was asked last, in epoch seconds, and how far it went then.
        self._seen: tuple[float, Ends] | None = None
        self.kafka = KafkaEnds(settings, [ours.beacons, ours.outcomes, ours.rejected], self._ends)
        self._publishing: Publishing | None = None
        self._counts = (0, 0, 0, 0)
        self._looks_at = 0.0
        name, live = "pipeline_loader_", settings.live_database
        self.metrics = Metrics(
            "loader",
            gauges={
                f"{name}kafka_up": lambda: self.kafka.is_up,
                f"{name}stalled_seconds": self._heartbeat.seconds,
                f"{name}lag_records": self._lag.records,
                f"{name}lag_seconds": self._lag.seconds,
                f"{name}unpublished_seconds": self._unpublished,
                f"{name}snapshot_age_seconds": lambda: snapshot_age(settings.database),
                f"{name}snapshot_bytes": lambda: _bytes(settings.database),
                f"{name}live_bytes": lambda: (
                    _bytes(live) + _bytes(live.with_name(f"{live.name}.wal"))
                ),
                f"{name}archive_bytes": lambda: self._counts[0],
                f"{name}archive_files": lambda: self._counts[1],
                f"{name}hot_events": lambda: self._counts[2],
                f"{name}late_devices": lambda: self._counts[3],
                f"{name}disk_free_bytes": lambda: shutil.disk_usage(settings.home).free,
            },
        )

    def beat(self) -> None:
        """The loop has come round."""
        self._heartbeat.beat()
        self._progress.tell(sum(self._lag.records().values()))

    def reached(
        self, positions: Mapping[tuple[str, int], int], written: Mapping[tuple[str, int], float]
    ) -> None:
        """What is loaded next, by topic and partition, and when the record before was written."""
        for (topic, partition), offset in positions.items():
            self._lag.reached((topic, str(partition)), offset, written.get((topic, partition)))

    def committed(
        self, batch: LoadBatch, *, seconds: float, written: Mapping[tuple[str, int], float]
    ) -> None:
        """`batch` was committed, in so many seconds."""
        metrics, name = self.metrics, "pipeline_loader_"
        metrics.observe(f"{name}transaction_seconds", seconds)
        metrics.count(f"{name}records_total", len(batch))
        self._progress.add(
            records=len(batch), events=sum(each.events for each in batch.ledger.values())
        )
        for counter in ("events", "duplicates"):
            amount = sum(getattr(each, counter) for each in batch.ledger.values())
            metrics.count(f"{name}{counter}_total", amount)
        metrics.count(f"{name}rejected_events_total", len(batch.rejected))
        self.reached({place: row[3] for place, row in batch.positions.items()}, written)

    def published(self, seconds: float | None) -> None:
        """A snapshot was published, in so many seconds; None: it failed."""
        if seconds is None:
            self.metrics.count("pipeline_loader_publish_failures_total")
        else:
            self.metrics.observe("pipeline_loader_publish_seconds", seconds)

    def complete_until(self, ledger: Ledger) -> float | None:
        """The last time, in epoch seconds, at which Kafka had nothing that was not loaded.

        None: it has more now, or was not asked. `ledger` has been committed.
        """
        if self._seen is None or any(self._lag.records().values()):
            return None
        at, ends = self._seen
        reached: Ends = {
            (self._beacons, str(partition)): following
            for partition, (_, following) in ledger.next_origins.items()
        }
        is_complete = all(
            reached.get(place, 0) >= end for place, end in ends.items() if place[0] == self._beacons
        )
        return at if is_complete else None

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Count what only the database knows, if it is time; between two transactions."""
        if time.monotonic() >= self._looks_at:
            self._counts = connection.execute(_COUNTS).fetchall()[0]
            self._looks_at = time.monotonic() + LOOK

    def follow(self, publishing: Publishing) -> None:
        """From now on this publishes."""
        self._publishing = publishing

    def _ends(self, ends: Ends) -> None:
        self._lag.ends({place: end for place, end in ends.items() if place[0] != self._beacons})
        # It may have answered as long ago.
        self._seen = (time.time() - PATIENCE, ends)

    def _unpublished(self) -> float:
        return self._publishing.unpublished_seconds if self._publishing else 0.0

    def health(self) -> Health:
        """Whether it loads and publishes, and why not."""
        problem = self._publishing.problem if self._publishing else ""
        if self._heartbeat.is_stalled:
            status = "stalled"
        elif not self.kafka.is_up:
            status = "unavailable"
        else:
            status = "degraded" if problem else "ready"
        return status in ("ready", "degraded"), {
            "status": status,
            "kafka": self.kafka.problem or "answers",
            "snapshot": problem or f"published {snapshot_age(self._settings.database):.0f} s ago",
            "behind": self._lag.described(is_current=self.kafka.is_up),
            "stalled": f"{self._heartbeat.seconds():.0f} s",
        }


def snapshot_age(path: Path) -> float:
    """Seconds since the snapshot at `path` was published; 0 if there is none."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
