"""Seconds of a loader's transaction as the warehouse grows, beside a bare insert of its events.

    python bench/load.py [--millions 1 10 100] [--devices 3000] [--records 1200] [--lateness 72]
                         [--home DIR]
    python bench/load.py --against CHECKOUT [--millions 1 10] [--devices 6000]
                         [--records 1200 10000] [--rounds 3]

The same outcomes, of generated traffic, go into warehouses that hold so many million events
before: copies of the traffic itself, under other devices, in the weeks before, a year at most
(`bench/growth.py`). The bare insert writes the rows of `events` alone, into a file of its own, with
a commit: what DuckDB costs at least. A hundred million events take 3 GB at `--home`.

With `--against`, the events a second of this checkout and of another one, in turns: gathering,
committing and publishing as their loaders do, with checkpoints (`bench/capacity.py`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from beacons import write_traffic  # type: ignore[import-not-found]  # the tests' own
from growth import grow, load
from history import outcomes_of  # type: ignore[import-not-found]

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.transaction import Transactions


def batches(outcomes: list[Outcome], rules: Rules, size: int) -> Iterator[tuple[LoadBatch, float]]:
    """Batches of `size` records, and the seconds that gathering each took."""
    rest = iter(outcomes)
    while chunk := list(islice(rest, size)):
        begun = time.perf_counter()
        batch = LoadBatch(rules)
        for outcome in chunk:
            batch.add(outcome)
        yield batch, time.perf_counter() - begun


def loaded(base: Path, outcomes: list[Outcome], rules: Rules) -> int:
    """Load `outcomes` into a new database at `base`. Returns the number of events."""
    with connect_live(base, rules) as connection:
        transactions = Transactions(connection)
        for batch, _ in batches(outcomes, rules, 20_000):
            transactions.commit(batch)
        return int(connection.execute("SELECT count(*) FROM events").fetchall()[0][0])


def base_of(folder: Path, devices: int, rules: Rules) -> tuple[Path, int]:
    """A database in `folder` with the traffic of so many devices, and its number of events."""
    traffic, base = folder / "traffic.ndjson", folder / "base.duckdb"
    write_traffic(traffic, devices=devices)
    return base, loaded(base, list(outcomes_of(traffic, rules)), rules)


def bare(folder: Path, outcomes: list[Outcome], rules: Rules, size: int) -> float:
    """Median seconds of inserting the events of a batch and committing."""
    seconds = []
    with connect_live(folder / "bare.duckdb", rules) as connection:
        for batch, _ in batches(outcomes, rules, size):
            rows = batch.tables()["in_events"].drop_columns("place")
            begun = time.perf_counter()
            connection.execute("BEGIN")
            connection.register("arrived", rows)
            connection.execute("INSERT INTO hot_events BY NAME FROM arrived")
            connection.unregister("arrived")
            connection.execute("COMMIT")
            seconds.append(time.perf_counter() - begun)
    return median(seconds)


def capacity(checkout: Path, traffic: Path, size: int, millions: float) -> dict[str, float]:
    """Events a second, and a CPU second, of `checkout`; its longest time between two commits."""
    program = str(Path(__file__).with_name("capacity.py"))
    with tempfile.TemporaryDirectory(dir=traffic.parent) as folder:
        how = [str(size), str(48_000 // size), folder, str(millions)]
        done = subprocess.run(
            [sys.executable, program, checkout, traffic, *how], check=True, stdout=subprocess.PIPE
        )
    found = json.loads(done.stdout)
    return {
        "a second": found["events"] / found["seconds"],
        "a CPU second": found["events"] / found["cpu"],
        "longest": max(found["each"]),
    }


def compare(against: Path, traffic: Path, sizes: list[int], millions: float, rounds: int) -> None:
    """Print what both checkouts load, in turns, and the ratio of the medians."""
    ours = Path(__file__).parent.parent
    for size in sizes:
        found: dict[Path, list[dict[str, float]]] = {against: [], ours: []}
        for checkout in [against, ours] * rounds:
            found[checkout].append(capacity(checkout.resolve(), traffic, size, millions))
        for name in ("a second", "a CPU second", "longest"):
            theirs, now = (median(one[name] for one in found[of]) for of in (against, ours))
            both = f"{theirs:,.2f} and {now:,.2f}: {now / theirs:.2f} times"
            print(f"{millions} million events, {size} records, {name}: {both}", flush=True)


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--records", type=int, nargs="+", default=[1200])
    parser.add_argument("--against", type=Path, help="Another checkout, to compare with.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="Where the warehouses are made.")
    parser.add_argument("--lateness", type=float, default=72, help="Hours; less makes more late.")
    options = parser.parse_args()
    if options.against:
        with tempfile.TemporaryDirectory(dir=options.home) as name:
            traffic = write_traffic(Path(name) / "traffic.ndjson", devices=options.devices)
            for millions in options.millions:
                compare(options.against, traffic, options.records, millions, options.rounds)
        return
    rules, (size, *_) = Rules(lateness=timedelta(hours=options.lateness)), options.records
    with tempfile.TemporaryDirectory(dir=options.home) as name:
        folder = Path(name)
        path = write_traffic(folder / "traffic.ndjson", devices=options.devices)
        outcomes = list(outcomes_of(path, rules))
        before, after = outcomes[: -40 * size], outcomes[-40 * size :]
        base = folder / "base.duckdb"
        each = loaded(base, before, rules)
        floor = bare(folder, after, rules, size)
        print(f"bare insert of {size} records' events: {floor * 1000:.0f} ms")
        for millions in options.millions:
            home = folder / f"{millions}"
            home.mkdir()
            growth = grow(base, millions, each, home, rules)
            chunks = [batch for batch, _ in batches(after, rules, size)]
            print(load(growth, chunks, home / "live.duckdb", rules).described(), flush=True)
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
