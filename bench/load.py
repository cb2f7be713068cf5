"""Seconds of a loader's transaction as the warehouse grows, beside a bare insert of its events.

    python bench/load.py [--millions 0 1 5] [--devices 3000] [--records 1200] [--lateness 72]

The same outcomes, of generated traffic, go into warehouses that hold so many
million events before: copies of the traffic itself, under other devices, in the weeks before. A
typical day brings 1,157 requests a second, about as many records. The bare insert writes the rows
of `events` alone, into a file of its own, with a commit: what DuckDB costs at least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median

import duckdb

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from beacons import END, accepted, write_traffic  # type: ignore[import-not-found]  # the tests' own

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.replay.memory_worker import MemoryWorker
from pipeline.warehouse.batch import LoadBatch
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.transaction import Transactions

WEEK = 7
# What a copy of a row says otherwise: all that names it, and when it was.
COPIED = {
    "device_key": "device_key || '-' || $1",
    "order_id": "order_id || '-' || $1",
    **{
        name: f"md5({name}::VARCHAR || $1)::UUID"
        for name in ("event_key", "session_key", "conversion_key", "touch_event_key")
    },
    **{
        name: f"{name} - to_days({WEEK} * $1::INTEGER)"
        for name in ("occurred_at", "received_at", "started_at", "ended_at", "touched_at", "day")
    },
}
TABLES = (
    "events",
    "order_lines",
    "sessions",
    "session_revenue",
    "conversion_facts",
    "conversion_touches",
)


def outcomes_of(folder: Path, rules: Rules, *, devices: int) -> Iterator[Outcome]:
    """The outcomes of generated traffic, which is written into `folder`."""
    path = write_traffic(folder / "traffic.ndjson", devices=devices)
    worker, appended_at = MemoryWorker(rules), round(END.timestamp() * 1000)
    for one in accepted(path):
        for key, value in one.records:
            yield worker.process(key, value, appended_at=appended_at)


def fill(connection: duckdb.DuckDBPyConnection, base: Path, events: int) -> int:
    """Copies of the rows of `base`, about `events` of them; how many events that were."""
    connection.execute(f"ATTACH '{base}' AS base (READ_ONLY)")
    each = int(connection.execute("SELECT count(*) FROM base.events").fetchall()[0][0])
    copies = round(events / each)
    for name in TABLES:
        columns = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
        changed = ", ".join(f"{COPIED[each]} AS {each}" for each in COPIED if each in columns)
        for number in range(1, copies + 1):
            query = f"INSERT INTO {name} SELECT * REPLACE ({changed}) FROM base.{name}"
            connection.execute(query, [str(number)])
    connection.execute("DETACH base")
    connection.execute("CHECKPOINT")
    return copies * each


def batches(outcomes: list[Outcome], rules: Rules, size: int) -> Iterator[tuple[LoadBatch, float]]:
    """Batches of `size` records, and the seconds that gathering each took."""
    rest = iter(outcomes)
    while chunk := list(islice(rest, size)):
        begun = time.perf_counter()
        batch = LoadBatch(rules)
        for outcome in chunk:
            batch.add(outcome)
        yield batch, time.perf_counter() - begun


def bare(folder: Path, outcomes: list[Outcome], rules: Rules, size: int) -> float:
    """Median seconds of inserting the events of a batch and committing."""
    seconds = []
    with connect_live(folder / "bare.duckdb", rules) as connection:
        for batch, _ in batches(outcomes, rules, size):
            rows = batch.tables()["in_events"].drop_columns("place")
            begun = time.perf_counter()
            connection.execute("BEGIN")
            connection.register("arrived", rows)
            connection.execute("INSERT INTO events BY NAME FROM arrived")
            connection.unregister("arrived")
            connection.execute("COMMIT")
            seconds.append(time.perf_counter() - begun)
    return median(seconds)


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[0, 1, 5])
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--records", type=int, default=1200)
    parser.add_argument("--lateness", type=float, default=72, help="Hours; less makes more late.")
    options = parser.parse_args()
    rules = Rules(lateness=timedelta(hours=options.lateness))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outcomes = list(outcomes_of(folder, rules, devices=options.devices))
        before, after = outcomes[: -40 * options.records], outcomes[-40 * options.records :]
        base = folder / "base.duckdb"
        with connect_live(base, rules) as connection:
            transactions = Transactions(connection)
            for batch, _ in batches(before, rules, 20_000):
                transactions.commit(batch)
        floor = bare(folder, after, rules, options.records)
        print(f"bare insert of {options.records} records' events: {floor * 1000:.0f} ms")
        for millions in options.millions:
            live = folder / f"{millions}.duckdb"
            live.write_bytes(base.read_bytes())
            with connect_live(live, rules) as connection:
                held = fill(connection, base, round(millions * 1_000_000))
                transactions = Transactions(connection)
                seconds, gathering, late = [], [], 0
                for batch, gathered in batches(after, rules, options.records):
                    begun = time.perf_counter()
                    transactions.commit(batch)
                    seconds.append(time.perf_counter() - begun)
                    gathering.append(gathered)
                    counted = connection.execute("SELECT count(*) FROM recomputed_devices")
                    late += counted.fetchall()[0][0]
                rate = options.records / (median(seconds) + median(gathering))
                print(
                    f"{held:>9} more events: {median(seconds) * 1000:.0f} ms,"
                    f" longest {max(seconds) * 1000:.0f} ms, gathering"
                    f" {median(gathering) * 1000:.0f} ms: {rate:,.0f} records/s,"
                    f" {median(seconds) / floor:.1f} times the bare insert;"
                    f" {late} devices recomputed"
                )
            live.unlink()


if __name__ == "__main__":
    main()
