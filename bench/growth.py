"""What a transaction costs as the warehouse grows, for `bench/load.py --millions`.

The history is in the archive, a file a day, and its derived rows are in the database. Snapshots
are published beside the transactions, as the loader does it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median

from history import fill  # type: ignore[import-not-found]  # the tests' own

from pipeline.domain.rules import Rules
from pipeline.process.little_garbage import little_garbage
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.transaction import Transactions
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publish import SnapshotPublisher
from pipeline.warehouse.snapshots.publishing import Publishing

YEAR = 52  # weeks


@dataclass
class Growth:
    """One size: seconds of each transaction, its CPU seconds, and the times between commits."""

    events: int
    hot_bytes: int = 0
    archived_bytes: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    loaded: int = 0
    late: int = 0
    merged: int = 0
    copy: Copy | None = None

    def described(self) -> str:
        """One line."""
        spent = sum(self.seconds)
        published = (
            f"snapshot of {self.copy.bytes / 1e6:,.0f} MB in {self.copy.seconds:.1f} s"
            if self.copy
            else "no snapshot"
        )
        return (
            f"{self.events:,} events: {median(self.seconds) * 1000:.0f} ms, longest"
            f" {max(self.seconds) * 1000:.0f}; CPU {median(self.cpu) * 1000:.0f} ms;"
            f" {self.loaded / spent:,.0f} events/s; between commits"
            f" {median(self.pauses) * 1000:.0f} ms, longest {max(self.pauses) * 1000:.0f};"
            f" bytes an event {self.hot_bytes / self.events:.0f} in the database,"
            f" {self.archived_bytes / self.events:.0f} in the archive; {published};"
            f" {self.late / self.loaded:.1%} late, {self.merged} devices merged"
        )


def grow(base: Path, millions: float, each: int, folder: Path, rules: Rules) -> Growth:
    """A warehouse of so many million events at `folder`, of copies of the `each` of `base`."""
    copies = max(1, round(millions * 1_000_000 / each / YEAR))
    weeks = round(millions * 1_000_000 / each / copies)
    live = folder / "live.duckdb"
    with connect_live(live, rules) as connection:
        fill(connection, base, weeks, copies=copies, archive=archive_folder(live))
        archived = connection.execute("SELECT sum(bytes) FROM archive_files").fetchall()[0][0]
    return Growth((weeks * copies + 1) * each, live.stat().st_size, int(archived or 0))


def load(growth: Growth, batches: list[LoadBatch], live: Path, rules: Rules) -> Growth:
    """Commit `batches`, with snapshots beside them. Returns `growth`."""
    snapshot = live.with_name("analytics.duckdb")
    with connect_live(live, rules) as connection, little_garbage():
        transactions = Transactions(connection)
        publisher = SnapshotPublisher(connection, live, snapshot)
        publishing = Publishing(publisher, timedelta(seconds=1))
        last = time.perf_counter()
        for batch in batches:
            batch.tables()
            begun, used = time.perf_counter(), time.thread_time()
            transactions.commit(batch)
            now = time.perf_counter()
            growth.seconds.append(now - begun)
            growth.cpu.append(time.thread_time() - used)
            growth.pauses.append(now - last)
            last = now
            publishing.go_on(committed=True)
            growth.loaded += sum(watermark.events for watermark in batch.ledger.values())
            merged = "SELECT (SELECT count(*) FROM in_events WHERE is_late), count(*)"
            ((late, devices),) = connection.execute(f"{merged} FROM merged_devices").fetchall()
            growth.late, growth.merged = growth.late + late, growth.merged + devices
        publishing.stop()
    growth.copy = Copy.recorded(snapshot)
    return growth
