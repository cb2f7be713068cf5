"""Pauses between a loader's commits while snapshots are published, beside the same without.

    python bench/publish.py [--millions 20 60] [--records 1200] [--wait 1] [--home DIR]

The same outcomes go twice into copies of one live file that holds so many million events: without
snapshots, then with them in the background, as the loader publishes them. `--wait` is the time in
which a transaction fills up; 0 is a loader that catches up. `--home` is where the files are, for
another file system.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median

from load import batches

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from beacons import write_traffic  # type: ignore[import-not-found]  # the tests' own
from history import fill, outcomes_of  # type: ignore[import-not-found]

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.load.transaction import Transactions
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publish import SnapshotPublisher
from pipeline.warehouse.snapshots.publishing import Publishing, described

INTERVAL = timedelta(seconds=5)
POLL = 0.1
# Late events cost more, and not each transaction the same: bench/load.py shows them.
NEVER_LATE = timedelta(days=365)


@dataclass
class Run:
    """Seconds: between commits, of those while a copy ran, and of each step of the publisher."""

    pauses: list[float] = field(default_factory=list)
    pauses_in_copies: list[float] = field(default_factory=list)
    publishing: list[float] = field(default_factory=list)
    log_bytes: int = 0


def load(
    live: Path, outcomes: list[Outcome], rules: Rules, size: int, wait: float, *, publish: bool
) -> Run:
    """Load `outcomes` into `live`, with snapshots beside it or without."""
    run, log = Run(), live.with_name(f"{live.name}.wal")
    with connect_live(live, rules) as connection:
        transactions = Transactions(connection)
        publisher = SnapshotPublisher(connection, live, live.with_suffix(".snapshot"))
        publishing = Publishing(publisher, INTERVAL)

        def go_on(*, committed: bool) -> None:
            if publish:
                begun = time.perf_counter()
                publishing.go_on(committed=committed)
                run.publishing.append(time.perf_counter() - begun)

        last = time.perf_counter()
        for batch, _ in batches(outcomes, rules, size):
            was_copying = publisher.is_copying
            for _ in range(round(wait / POLL)):
                time.sleep(POLL)
                go_on(committed=False)
            transactions.commit(batch)
            now = time.perf_counter()
            run.pauses.append(now - last)
            if was_copying:
                run.pauses_in_copies.append(now - last)
            last = now
            if log.exists():
                run.log_bytes = max(run.log_bytes, log.stat().st_size)
            go_on(committed=True)
        publisher.cancel()
    return run


def report(plain: Run, published: Run, live: Path) -> Iterator[str]:
    """What the two runs show, a line at a time."""
    usual, longest = median(plain.pauses), max(plain.pauses)
    yield f"without: {usual:.2f} s between commits, longest {longest:.2f} s"
    yield (
        f"with: {median(published.pauses):.2f} s ({median(published.pauses) / usual:.2f} times),"
        f" longest {max(published.pauses):.2f} s ({max(published.pauses) / longest:.2f} times)"
    )
    if published.pauses_in_copies:
        yield (
            f"while a copy ran: {len(published.pauses_in_copies)} commits,"
            f" {median(published.pauses_in_copies):.2f} s, longest"
            f" {max(published.pauses_in_copies):.2f} s"
        )
    beside = max(now / then for now, then in zip(published.pauses, plain.pauses, strict=True))
    yield f"at most {beside:.2f} times the pause of the same transaction without"
    yield (
        f"longest step of publishing {max(published.publishing):.2f} s; log at most"
        f" {published.log_bytes / 1e6:.0f} MB, without {plain.log_bytes / 1e6:.0f} MB"
    )
    if copy := Copy.recorded(live):
        yield f"snapshot: {described(copy, INTERVAL)}"


def main() -> None:
    """Print some lines a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[20])
    parser.add_argument("--devices", type=int, default=8000)
    parser.add_argument("--records", type=int, default=1200)
    parser.add_argument("--transactions", type=int, default=80)
    parser.add_argument("--wait", type=float, default=1)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    rules = Rules(lateness=NEVER_LATE)
    with tempfile.TemporaryDirectory(dir=options.home) as name:
        folder = Path(name)
        traffic = write_traffic(folder / "traffic.ndjson", devices=options.devices)
        outcomes = list(outcomes_of(traffic, rules))
        after = options.transactions * options.records
        base = folder / "base.duckdb"
        with connect_live(base, rules) as connection:
            transactions = Transactions(connection)
            for batch, _ in batches(outcomes[:-after], rules, 20_000):
                transactions.commit(batch)
            each = connection.execute("SELECT count(*) FROM events").fetchall()[0][0]
        for millions in options.millions:
            whole, live = folder / "whole.duckdb", folder / "live.duckdb"
            with connect_live(whole, rules) as connection:
                fill(connection, base, round(millions * 1_000_000 / each))
            runs = []
            for publish in (False, True):
                shutil.copy(whole, live)
                size, wait = options.records, options.wait
                runs.append(load(live, outcomes[-after:], rules, size, wait, publish=publish))
            print(f"{millions:g} million events, {live.stat().st_size / 1e9:.1f} GB")
            for line in report(runs[0], runs[1], live):
                print(f"  {line}")
            whole.unlink()


if __name__ == "__main__":
    main()
