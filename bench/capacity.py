"""Events a second of one checkout's loader, for `bench/load.py --against`.

    python bench/capacity.py CHECKOUT TRAFFIC RECORDS TRANSACTIONS FOLDER MILLIONS

Prints JSON: events, seconds, CPU seconds, the seconds between commits, and snapshots. Kafka is
left out: outcomes are in memory, as the bytes that it holds. The warehouse has MILLIONS of events
before, and is published beside the transactions, as often as that checkout's loader does it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

CHECKOUT = Path(sys.argv[1])
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests"), str(CHECKOUT / "bench")]

import msgspec  # noqa: E402  # everything below is the checkout's

from pipeline.domain.outcomes import Outcome  # noqa: E402
from pipeline.domain.rules import Rules  # noqa: E402
from pipeline.replay.memory_worker import MemoryWorker  # noqa: E402
from pipeline.warehouse.database import connect_live  # noqa: E402


def module(*names: str) -> Any:
    """The first of `names` that the checkout has: they moved."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return None


LoadBatch = module("pipeline.warehouse.load.batch", "pipeline.warehouse.batch").LoadBatch
Transactions = module(
    "pipeline.warehouse.load.transaction", "pipeline.warehouse.transaction"
).Transactions
publish = module("pipeline.warehouse.snapshots.publish", "pipeline.warehouse.publish")
committing = module("pipeline.warehouse.load.committing")
garbage = module("pipeline.process.little_garbage")
decode = msgspec.json.Decoder(Outcome).decode


class OneThread:
    """The loader of a checkout before `Committing`: it waits for each commit and each copy."""

    def __init__(self, connection: Any, live: Path) -> None:
        self._transactions = Transactions(connection)
        snapshot = live.with_name("analytics.duckdb")
        self._publisher = publish.SnapshotPublisher(connection, live, snapshot)
        self._interval = interval().total_seconds()
        self._published = time.monotonic()
        self.snapshots = 0

    def commit(self, batch: Any) -> None:
        """Commit, and publish if it is time."""
        self._transactions.commit(batch)
        if time.monotonic() - self._published >= self._interval:
            self._publish()

    def _publish(self) -> None:
        self._publisher.publish()
        self._published = time.monotonic()
        self.snapshots += 1

    def end(self) -> None:
        """All is committed, and nothing is published any more."""


class Beside:
    """The loader of this checkout: gathering, committing and copying at the same time."""

    def __init__(self, connection: Any, live: Path) -> None:
        beside = import_module("pipeline.warehouse.snapshots.publishing")
        summing = import_module("pipeline.warehouse.load.summing")
        transactions = Transactions(connection)
        self.snapshots = 0
        self._committing = committing.Committing(transactions)
        self._summing = summing.Summing(connection, transactions)
        publisher = publish.SnapshotPublisher(connection, live, live.with_name("analytics.duckdb"))
        self._publishing = beside.Publishing(publisher, interval(), self._count)

    def _count(self, seconds: float | None) -> None:
        self.snapshots += seconds is not None

    def commit(self, batch: Any) -> None:
        """Begin to commit, when the commit before has ended."""
        batch.tables()
        self.end()
        self._committing.start(batch)

    def end(self) -> None:
        """Wait for the commit, and do what comes between two."""
        if self._committing.finish() is not None:
            self._publishing.go_on(committed=self._summing.step() or True)


def interval() -> timedelta:
    """Between two snapshots, as this checkout's settings have it."""
    found = import_module("pipeline.config").Settings.model_fields["publish_interval"].default
    assert isinstance(found, timedelta)
    return found


def outcomes(traffic: Path, rules: Rules) -> Iterator[bytes]:
    """As they are on Kafka."""
    beacons = import_module("beacons")
    worker, appended_at = MemoryWorker(rules), round(beacons.END.timestamp() * 1000)
    for one in beacons.accepted(traffic):
        for key, value in one.records:
            yield msgspec.json.encode(worker.process(key, value, appended_at=appended_at))


def gathered(values: list[bytes], rules: Rules) -> Any:
    """A batch of these outcomes."""
    batch = LoadBatch(rules)
    for value in values:
        batch.add(decode(value))
    return batch


def make(folder: Path, values: list[bytes], rules: Rules, millions: float) -> Path:
    """A warehouse with `values`, and with copies of their rows in the weeks before."""
    base, live = folder / "base.duckdb", folder / "live.duckdb"
    with connect_live(base, rules) as connection:
        transactions, rest = Transactions(connection), iter(values)
        while chunk := list(islice(rest, 20_000)):
            transactions.commit(gathered(chunk, rules))
        connection.execute("CHECKPOINT")
        (each,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
    if committing:
        import_module("growth").grow(base, millions, each, folder, rules)
        with connect_live(live, rules) as connection:
            summing = import_module("pipeline.warehouse.load.summing")
            summing.sum_all(connection, Transactions(connection))
        return live
    past: Any = import_module("load")
    # Its list still has a table that is a view by now.
    table_of = {"conversions": "conversion_facts"}
    past.TABLES = [table_of.get(name, name) for name in past.TABLES]
    shutil.copy(base, live)
    with connect_live(live, rules) as connection:
        past.fill(connection, base, round(millions * 1_000_000))
    return live


def main() -> None:
    """Load all before the measured transactions, then those."""
    traffic, records, transactions, folder, millions = sys.argv[2:]
    rules, size, count = Rules(lateness=timedelta(hours=72)), int(records), int(transactions)
    values = list(outcomes(Path(traffic), rules))
    first = len(values) - size * count
    live, ends = make(Path(folder), values[:first], rules, float(millions)), []
    with connect_live(live, rules) as connection:
        (held,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
        loader = (Beside if committing else OneThread)(connection, live)
        with garbage.little_garbage() if garbage else nullcontext():
            begun, used = time.perf_counter(), time.process_time()
            ends.append(begun)
            for start in range(first, len(values), size):
                loader.commit(gathered(values[start : start + size], rules))
                ends.append(time.perf_counter())
            loader.end()
            seconds, cpu = time.perf_counter() - begun, time.process_time() - used
        (now,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
    each = [after - before for before, after in pairwise(ends)]
    answer = {"events": now - held, "seconds": seconds, "cpu": cpu, "each": each}
    sys.stdout.write(json.dumps(answer | {"snapshots": loader.snapshots}))


if __name__ == "__main__":
    main()
