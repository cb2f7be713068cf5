"""Seconds of `pipeline rules adopt` as the warehouse grows, and what kills leave of it.

    python bench/adopt.py [--millions 1 10] [--kills 5] [--devices 3000] [--home DIR]

Adopts a gap that is half as long again, without Kafka, over warehouses as `bench/load.py` makes
them. Then again over a copy of the same, killed with -9 after so many of its steps, evenly spread:
each time the warehouse must be the one before or the one after, row by row. At last it is adopted
without a kill, and must be what the first one is.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from growth import grow
from history import AGGREGATED, TABLES  # type: ignore[import-not-found]  # the tests' own
from load import base_of

from pipeline.domain.rules import Rules
from pipeline.warehouse.database import attached
from pipeline.warehouse.rebuild.adopt import adopt

BEFORE = Rules()
AFTER = Rules(gap=BEFORE.gap * 3 / 2)
# All that is derived, and what it is derived from.
COMPARED = (*TABLES, *AGGREGATED, "hot_events", "archive_files", "ledger")
STATE = "SELECT {table!r}, count(*), CAST(sum(hash(t)) AS VARCHAR) FROM {table} AS t"

State = list[tuple[str, int, str]]


def state(live: Path) -> State:
    """Of each table its name, rows, and a sum of their hashes."""
    with attached(live) as connection:
        text = " UNION ALL ".join(STATE.format(table=table) for table in COMPARED)
        return connection.execute(f"{text} ORDER BY ALL").fetchall()


def run(live: Path) -> None:
    """Adopt, and print a line after each step."""
    with attached(live) as connection:
        zones = dict(connection.execute("SELECT store_id, timezone FROM stores").fetchall())
    adopt(
        live,
        AFTER,
        zones=zones,
        stream=lambda _reached, _adoption: lambda _keys: None,
        progress=lambda name, done, steps: print(name, done, steps, flush=True),
    )


def adopted(live: Path, *, until: int | None = None) -> tuple[int, float, int]:
    """The steps that it took, its seconds and the most memory in bytes; killed after `until`."""
    begun, steps, most = time.perf_counter(), 0, 0
    with subprocess.Popen(
        [sys.executable, __file__, "--run", live], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for steps, _ in enumerate(process.stdout, start=1):
            most = max(most, psutil.Process(process.pid).memory_info().rss)
            if steps == until:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == (0 if until is None else -signal.SIGKILL)
    return steps, time.perf_counter() - begun, most


def main() -> None:
    """Print a line a size, and one a kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--home", type=Path, help="Where the warehouses are made.")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run)
        return
    with tempfile.TemporaryDirectory(dir=options.home) as name:
        folder = Path(name)
        base, each = base_of(folder, options.devices, BEFORE)
        for millions in options.millions:
            measure(folder, base, millions, each, kills=options.kills)


def measure(folder: Path, base: Path, millions: float, each: int, *, kills: int) -> None:
    """One size."""
    quiet, killed = folder / "quiet", folder / "killed"
    quiet.mkdir()
    events = grow(base, millions, each, quiet, BEFORE).events
    shutil.copytree(quiet, killed)
    before = state(quiet / "live.duckdb")
    steps, seconds, most = adopted(quiet / "live.duckdb")
    after = state(quiet / "live.duckdb")
    assert before != after
    print(f"{events:,} events adopted in {seconds:.0f} s, {most / 1e6:,.0f} MB", flush=True)
    live = killed / "live.duckdb"
    for number in range(1, kills + 1):
        until = max(1, steps * number // kills)
        adopted(live, until=until)
        found = state(live)
        assert found in (before, after), f"a mixture after step {until} of {steps}"
        which = "before" if found == before else "after"
        print(f"killed after step {until} of {steps}: the warehouse is the one {which}", flush=True)
    adopted(live)
    assert state(live) == after
    print("adopted after the kills: the same, row by row", flush=True)
    shutil.rmtree(quiet)
    shutil.rmtree(killed)


if __name__ == "__main__":
    main()
