"""Milliseconds of every question and every dashboard section, as the warehouse grows.

    python bench/questions.py [--millions 1 10 100] [--devices 3000] [--days 1 28] [--home DIR]

Generated traffic, and copies of it in the weeks before (`bench/growth.py`), summed and published
as the loader does it. Each question of `sql/queries` and each section is asked of that snapshot,
over so many whole days before the last two, at its best of three. A section is asked for by itself,
with a new reader. A hundred million events take 3 GB at `--home`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from growth import grow
from load import base_of

from pipeline.config import Settings
from pipeline.dashboard.answers import Answers
from pipeline.dashboard.sections import ALL
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live, connect_published
from pipeline.warehouse.load.summing import sum_all
from pipeline.warehouse.load.transaction import Transactions
from pipeline.warehouse.parameters import parameters_of
from pipeline.warehouse.queries import ask, questions
from pipeline.warehouse.snapshots.publish import SnapshotPublisher
from pipeline.warehouse.snapshots.publishing import Publishing

TRIES = 3


def made(base: Path, millions: float, each: int, home: Path, rules: Rules) -> Settings:
    """Of a home with a snapshot of so many million events."""
    settings = Settings(_env_file=None, home=home)
    growth = grow(base, millions, each, home, rules)
    with connect_live(settings.live_database, rules) as connection:
        begun = time.perf_counter()
        sum_all(connection, Transactions(connection))
        seconds = time.perf_counter() - begun
        publisher = SnapshotPublisher(connection, settings.live_database, settings.database)
        Publishing(publisher, timedelta(seconds=1)).stop()
    print(f"\n{growth.events:,} events, summed in {seconds:.0f} s", flush=True)
    return settings


def best(asked: Callable[[], object]) -> float:
    """Milliseconds."""
    tries = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        asked()
        tries.append(time.perf_counter() - begun)
    return 1000 * min(tries)


def spans(settings: Settings, days: list[int]) -> Iterator[tuple[int, str, str]]:
    """The number of days, the first and the last of them."""
    with connect_published(settings.database) as snapshot:
        (end,) = snapshot.execute("SELECT max(day) FROM daily_traffic").fetchall()[0]
    assert isinstance(end, date)
    last = end - timedelta(days=2)
    for number in days:
        yield number, str(last - timedelta(days=number - 1)), str(last)


def of_questions(settings: Settings, first: str, last: str) -> Iterator[tuple[str, float]]:
    """The name and milliseconds of each question."""
    with connect_published(settings.database, memory=settings.query_memory_bytes) as snapshot:
        tokens = snapshot.execute(
            "SELECT attribution_token FROM daily_tokens WHERE day = ? AND attribution_token"
            " IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 2",
            [last],
        ).fetchall()
        known = {"first": first, "last": last, "grain": "product"}
        known |= {"token": tokens[0][0], "other": tokens[-1][0]}
        for name in questions():
            given = {each: known[each] for each in parameters_of(name) if each in known}
            yield name, best(partial(ask, snapshot, name, given))


def of_sections(settings: Settings, first: str, last: str) -> Iterator[tuple[str, float]]:
    """The name and milliseconds of each section, for all stores."""
    wanted = {"store": "*", "first": first, "last": last}
    for section in ALL:
        tries = []
        for _ in range(TRIES):
            answers = Answers(settings)
            for is_slow in (False, True):  # both kinds of readers open the snapshot
                answers.section(ALL[0], {**wanted, "compare": "year"}, is_slow=is_slow)
            begun = time.perf_counter()
            answers.section(section, wanted)
            tries.append(time.perf_counter() - begun)
        yield f"section {section.name}", 1000 * min(tries)


def main() -> None:
    """Print a line for each question and section of each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--days", type=int, nargs="+", default=[1, 28])
    parser.add_argument("--home", type=Path, help="Where the warehouses are made.")
    options = parser.parse_args()
    rules = Rules()
    with tempfile.TemporaryDirectory(dir=options.home) as name:
        folder = Path(name)
        base, each = base_of(folder, options.devices, rules)
        for millions in options.millions:
            home = folder / f"{millions}"
            home.mkdir()
            settings = made(base, millions, each, home, rules)
            for days, first, last in spans(settings, options.days):
                for of in (of_questions, of_sections):
                    for what, milliseconds in of(settings, first, last):
                        print(f"{days:>3} d {milliseconds:8,.0f} ms  {what}", flush=True)
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
