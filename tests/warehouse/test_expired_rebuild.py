"""A rebuild and other rules, after days have gone: what is kept is made again, the rest stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import msgspec
import pytest
from expired import PARTITIONS, slower, thirds
from tables import SUMS
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.rebuild.adopt import adopt
from pipeline.warehouse.rebuild.rebuild import rebuild
from pipeline.warehouse.retention import derived, events

SLOWER = slower(RULES)
STORES = 6
# Nothing of them goes, or they are not loaded here.
EMPTY = {
    "catalog",
    "catalog_imports",
    "positions",
    "duplicates",
    "rejected_events",
    "dropped_rows",
    "archive_files",
    "publication",
}
AGGREGATES = (
    "daily_traffic",
    "daily_arrivals",
    "daily_sessions",
    "daily_products",
    "daily_tokens",
    "daily_attribution",
    "summed_blended",
    "summed_searches",
)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of which days have gone, with late events and orders of before."""
    warehouse = Warehouse(tmp_path_factory.mktemp("history") / "live.duckdb", SLOWER)
    chance = Random(12)  # noqa: S311  # the same each time
    told = [thirds(chance, SLOWER, number=number) for number in range(STORES)]
    for outcomes in zip(*told, strict=True):
        if warehouse.rows("FROM ledger"):
            while expire(warehouse):
                pass
        warehouse.load(outcome for some in outcomes for outcome in some)
        while warehouse.summing.add():
            pass
    warehouse.connection.close()
    return warehouse.path


def expire(warehouse: Warehouse, term: timedelta = SLOWER.lateness) -> bool:
    return derived.expire(warehouse.connection, term, partitions=STORES * PARTITIONS)


@pytest.fixture
def live(history: Path, tmp_path: Path) -> Path:
    shutil.copy(history.with_name("erasures.key"), tmp_path)
    return shutil.copy(history, tmp_path / "live.duckdb")


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the sums of sessions, in order."""
    with duckdb.connect(path) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return {
            name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall()
            for (name,) in names
            if name not in SUMS
        }


def without_events(live: Path) -> None:
    """Let all events go that nothing needs."""
    with connect_live(live, SLOWER) as connection:
        gone = {"folder": archive_folder(live), "unnamed": lambda _: None}
        while events.expire(connection, timedelta(0), **gone):
            pass
        # Orders with reports on both sides.
        found = connection.execute("SELECT count(*) FROM settled_orders").fetchall()
    assert found[0][0] > 0


def stays(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The aggregates of days whose rows have gone."""
    with duckdb.connect(path) as connection:
        old = "day <= (SELECT CAST(derived_from AS DATE) FROM retention)"
        return {
            name: connection.execute(f"FROM {name} WHERE {old} ORDER BY ALL").fetchall()
            for name in AGGREGATES
        }


def test_t11_a_rebuild_holds_the_same_rows(live: Path) -> None:
    before = rows(live)
    assert {name for name, found in before.items() if not found} == EMPTY
    rebuild(live, SLOWER)
    assert rows(live) == before


def test_t11_a_rebuild_mends_whole_days_and_leaves_the_others(live: Path) -> None:
    before = rows(live)
    with duckdb.connect(live) as connection:
        connection.execute("DELETE FROM daily_sessions USING retention WHERE day > derived_from")
        connection.execute("DELETE FROM sessions")
    rebuild(live, SLOWER)
    assert rows(live) == before


def whole(live: Path, name: str) -> list[tuple[Any, ...]]:
    """The rows of sessions of which no event has gone."""
    with duckdb.connect(live) as connection:
        return connection.execute(
            f"FROM {name} WHERE started_at >="
            " (SELECT events_from + gap FROM retention CROSS JOIN rules) ORDER BY ALL"
        ).fetchall()


def test_t11_a_rebuild_leaves_what_was_made_of_events_that_have_gone(live: Path) -> None:
    without_events(live)
    before, of_sessions = rows(live), ("sessions", "session_revenue")
    sessions = {name: whole(live, name) for name in of_sessions}
    rebuild(live, SLOWER)
    assert {name: whole(live, name) for name in of_sessions} == sessions
    after = rows(live)
    for name in before.keys() - of_sessions:
        assert after[name] == before[name], name


OTHERS: dict[str, Callable[[timedelta], timedelta]] = {
    "longer": lambda span: span * 2,
    "shorter": lambda span: span / 2,
}


@pytest.mark.parametrize("other", OTHERS)
def test_t11_other_rules_count_what_is_kept_and_aggregates_say_which_made_them(
    live: Path, other: str
) -> None:
    then: Rules = msgspec.structs.replace(
        SLOWER, gap=OTHERS[other](SLOWER.gap), lookback=OTHERS[other](SLOWER.lookback)
    )
    without_events(live)
    before, old = rows(live), stays(live)
    assert min(map(len, old.values())) > 0
    adopt(
        live,
        then,
        zones={},
        stream=lambda _reached, _era: lambda known: [*known].clear(),
        progress=lambda *_: None,
    )
    after = rows(live)
    assert stays(live) == old
    assert after["sessions"] != before["sessions"]
    assert after["conversion_touches"] != before["conversion_touches"]
    warehouse = Warehouse(live, then, keep=True)
    assert warehouse.broken() == {}
    ((first,),) = warehouse.rows("SELECT until FROM aggregate_rules")
    for _ in range(2):
        assert expire(warehouse, timedelta(0))
        assert warehouse.rows(
            "SELECT gap, until > $1 FROM aggregate_rules ORDER BY until".replace(
                "$1", f"DATE '{first}'"
            )
        ) == [
            (SLOWER.gap, False),
            (then.gap, True),
        ]
    warehouse.connection.close()
