"""A rebuild gives the same tables, mends what is wrong, and whatever kills it leaves one whole."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from archived import freeze
from catalogs import DRESS, give
from expired import restless
from factories import Log
from strategies import gathered, transactions_of
from tables import SUMS
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.aggregates import AGGREGATES
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.beside import beside
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.queries import broken
from pipeline.warehouse.rebuild import rebuild as rebuilding
from pipeline.warehouse.rebuild.rebuild import rebuild, restore
from pipeline.warehouse.retention.terms import Terms

# Each table that a bug could have written wrongly, and what a bug does to it.
WRONG = {
    "order_lines": "UPDATE order_lines SET is_counted = NOT is_counted",
    "sessions": "UPDATE sessions SET events = events + 1",
    "session_revenue": "DELETE FROM session_revenue",
    "conversion_facts": "UPDATE conversion_facts SET match = 'none'",
    "conversion_touches": "DELETE FROM conversion_touches WHERE position = 1",
    "touches": "DELETE FROM touches",
    "late_devices": "DELETE FROM late_devices",
    "is_open": "UPDATE sessions SET is_open = NOT is_open",
    "days": "UPDATE hot_events SET day = day + 1, hour = 3, received_day = received_day + 1",
    "arrivals": "UPDATE duplicates SET received_day = received_day + 1",
    **{one.name: f"DELETE FROM {one.name}" for one in AGGREGATES},
}
# Only a loader writes them, and `test_expired_rebuild.py` has days that have gone.
EMPTY = {
    "positions",
    "publication",
    "retention",
    "daily_expired",
    "expired_orders",
    "aggregate_rules",
}
# A marker that only the old file has, in its log.
SPOIL = """
import os, sys
from pathlib import Path
from pipeline.warehouse.beside import beside
from pipeline.warehouse.database import open_live
connection = open_live(Path(sys.argv[1]))
connection.execute(sys.argv[2])
os._exit(0)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from warehouse_fixture import RULES
from pipeline.warehouse.rebuild import rebuild as made

point, replace = sys.argv[2], Path.replace

def die_at(name, *_):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

def replaced(path, target):
    die_at("before the rename")
    replace(path, target)
    die_at("after the rename")

Path.replace = replaced
made.rebuild(Path(sys.argv[1]), RULES, progress=die_at)
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of random stories, with everything that the rules know."""
    path = tmp_path_factory.mktemp("history") / "live.duckdb"
    warehouse = Warehouse(path)
    stories = enumerate(gathered(150, number=19))
    told = [transactions_of(story, warehouse.rules, number=number) for number, story in stories]
    # All of them in a few transactions, which cost more than rows.
    for turn in range(3):
        thirds = [t[len(t) * turn // 3 : len(t) * (turn + 1) // 3] for t in told]
        warehouse.load([outcome for t in thirds for batch in t for outcome in batch])
    warehouse.load([Log(RULES, 5000).erase(0)])
    warehouse.connection.execute(
        "INSERT INTO rejected_events BY NAME SELECT store_id, received_at, 0 AS index,"
        " 'reason' AS reason, '' AS detail, '{}' AS raw, received_day FROM events LIMIT 9"
    )
    ((day,),) = warehouse.rows("SELECT mode(day) FROM events")
    freeze(warehouse.connection, archive_folder(path), Span(day, day))
    term = Terms(duplicates=timedelta(days=1))
    assert restless(warehouse.connection, term).step()
    give(warehouse.connection, path, DRESS, store="store-1")
    warehouse.connection.execute("UPDATE rules SET former = ['of rules that were left']")
    warehouse.connection.close()
    return path


@pytest.fixture
def live(history: Path, tmp_path: Path) -> Path:
    shutil.copytree(archive_folder(history), archive_folder(tmp_path / "live.duckdb"))
    return shutil.copy(history, tmp_path / "live.duckdb")


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "BUCKET_EVENTS", 100)


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the sums of sessions, in an order of their own."""
    with duckdb.connect(path) as connection:
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
        ).fetchall()
        return {
            name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall()
            for (name,) in names
            if name not in SUMS
        }


def spoil(path: Path, statement: str) -> None:
    """Run `statement` in a process that dies before its log is in the file."""
    subprocess.run([sys.executable, "-c", SPOIL, str(path), statement], check=True)
    assert path.with_name("live.duckdb.wal").exists()


@pytest.mark.usefixtures("small_buckets")
def test_a_rebuild_holds_the_same_rows(live: Path) -> None:
    before = rows(live)
    assert {name for name, found in before.items() if not found} == EMPTY
    steps: list[tuple[str, int, int]] = []
    rebuild(live, RULES, progress=lambda *step: steps.append(step))
    assert rows(live) == before
    # More than one bucket, and each step is counted.
    assert len([name for name, _, _ in steps if name == "devices"]) > 5
    assert [done for _, done, _ in steps] == list(range(len(steps)))
    assert {of for _, _, of in steps} == {len(steps)}


def test_a_rebuild_mends_every_table(live: Path) -> None:
    before = rows(live)
    for name, statement in WRONG.items():
        found = rows(live)
        with duckdb.connect(live) as connection:
            connection.execute(statement)
        assert rows(live) != found, name
    rebuild(live, RULES)
    assert rows(live) == before


def test_a_rebuild_sums_sessions_as_far_as_a_loader_would(live: Path) -> None:
    with duckdb.connect(live) as connection:
        connection.execute(
            "UPDATE summed_blended SET summed_clicks = 9; DELETE FROM summed_searches"
        )
        ((until,),) = connection.execute("SELECT until FROM summed_until").fetchall()
    # It checks that they are right.
    rebuild(live, RULES)
    with duckdb.connect(live) as connection:
        ((moved,),) = connection.execute("SELECT until FROM summed_until").fetchall()
        assert moved > until
        for table in ("summed_blended", "summed_searches"):
            assert connection.execute(f"SELECT count(*) > 10 FROM {table}").fetchall() == [(True,)]
        closed = "SELECT count(*) FROM unsummed_sessions JOIN sessions USING (session_key)"
        assert connection.execute(f"{closed} WHERE NOT is_open").fetchall() == [(0,)]


@pytest.mark.usefixtures("small_buckets")
def test_derived_rows_are_written_in_the_order_of_time(live: Path) -> None:
    rebuild(live, RULES)
    with duckdb.connect(live) as connection:
        for table, column in (("sessions", "started_at"), ("conversion_facts", "occurred_at")):
            times = connection.execute(f"SELECT {column} FROM {table} ORDER BY rowid").fetchall()
            assert times == sorted(times)


def test_a_rebuild_that_breaks_a_check_changes_nothing(live: Path) -> None:
    with duckdb.connect(live) as connection:
        connection.execute("INSERT INTO hot_events FROM hot_events LIMIT 1")
    before = rows(live)
    with pytest.raises(DatabaseError, match=r"stays as it was: its rebuild breaks .*events_unique"):
        rebuild(live, RULES)
    assert rows(live) == before
    assert [path.name for path in live.parent.glob("*.duckdb*")] == ["live.duckdb"]


def test_nobody_can_open_the_live_file_until_the_new_one_stands(live: Path) -> None:
    opened = f"import duckdb; duckdb.connect({str(live)!r})"

    def try_it(*_: object) -> None:
        done = subprocess.run([sys.executable, "-c", opened], stderr=subprocess.PIPE, check=False)
        tried.append(b"lock" in done.stderr)

    tried: list[bool] = []
    replace = Path.replace

    def replaced(path: Path, target: Path) -> Path:
        try_it()
        made = replace(path, target)
        try_it()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replaced)
        rebuild(live, RULES, progress=lambda _, done, __: try_it() if done == 0 else None)
    assert tried == [True, True, True]


def test_a_log_that_a_loader_wrote_meanwhile_is_not_left_for_the_new_file(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(path: Path, *given: Any) -> duckdb.DuckDBPyConnection:
        spoil(live, WRONG["sessions"])
        return connect_live(path, *given)

    monkeypatch.setattr(rebuilding, "connect_live", connected)
    with pytest.raises(DatabaseError, match="a loader has just written to"):
        rebuild(live, RULES)
    monkeypatch.undo()
    assert opened(live) == ["sessions", "daily_sessions"]


@pytest.mark.parametrize(
    "point",
    ["copying hot_events", "devices", "writing sessions", "checking", "before the rename"],
)
def test_a_killed_rebuild_leaves_the_old_one_and_the_next_start_its_files(
    live: Path, point: str
) -> None:
    spoil(live, WRONG["sessions"])
    killed(live, point)
    assert len(list(live.parent.glob("*.duckdb*"))) > 1
    # What the old one had, its log included.
    assert opened(live) == ["sessions", "daily_sessions"]


def test_a_rebuild_killed_after_the_rename_leaves_the_new_one(live: Path) -> None:
    spoil(live, WRONG["sessions"])
    killed(live, "after the rename")
    assert opened(live) == []


def killed(live: Path, point: str) -> None:
    tests = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", KILLED, str(live), point, tests], check=False)
    assert done.returncode == -signal.SIGKILL


def opened(live: Path) -> list[str]:
    """The checks that a loader's file breaks; it must be alone in its folder."""
    with connect_live(live, RULES) as connection:
        left = {path.name for path in live.parent.glob("*.duckdb*")} - {"live.duckdb.wal"}
        assert left == {"live.duckdb"}
        return sorted(
            (name for name, answer in broken(connection).items() if answer.rows), reverse=True
        )


def test_files_of_a_running_process_stay(live: Path) -> None:
    with beside(live) as running:
        running.touch()
        connect_live(live, RULES).close()
        with beside(live) as other:
            assert other != running
        assert running.exists()
    assert list(live.parent.glob("*.rebuilt*")) == []


def test_a_lost_live_database_is_made_of_the_snapshot(live: Path) -> None:
    before, snapshot = rows(live), live.with_name("analytics.duckdb")
    shutil.copy(live, snapshot)
    snapshot.chmod(0o400)
    spoil(live, WRONG["sessions"])
    live.unlink()  # its log is left
    restore(snapshot, live)
    assert rows(live) == before
    assert live.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in live.parent.glob("*.duckdb*")) == [snapshot.name, live.name]


def test_a_live_database_is_not_replaced_by_the_snapshot(live: Path) -> None:
    snapshot = Path(shutil.copy(live, live.with_name("analytics.duckdb")))
    spoil(live, WRONG["sessions"])
    before = {path.name: path.read_bytes() for path in live.parent.glob("*.duckdb*")}
    with pytest.raises(DatabaseError, match=r"live.duckdb exists: rebuild it, or move it away"):
        restore(snapshot, live)
    assert {path.name: path.read_bytes() for path in live.parent.glob("*.duckdb*")} == before


@pytest.mark.parametrize("make", [rebuild, lambda live, _: restore(live, live)])
def test_nothing_is_made_of_nothing(tmp_path: Path, make: Callable[[Path, Any], None]) -> None:
    with pytest.raises(DatabaseError, match="there is no"):
        make(tmp_path / "live.duckdb", RULES)
    assert list(tmp_path.iterdir()) == []


def test_archived_events_have_the_days_of_a_new_zone(live: Path) -> None:
    """They leave the archive, which holds files by day (T10)."""
    with connect_live(live, RULES) as connection:
        ((store, events),) = connection.execute(
            "SELECT mode(store_id), count(*) FROM events"
        ).fetchall()
        assert connection.execute("SELECT count(*) > 0 FROM archive_files").fetchall() == [(True,)]
    with rebuilding.settled(live):
        pass
    with rebuilding.replaced(live, RULES, zones={store: "Pacific/Kiritimati"}) as connection:
        assert connection.execute("SELECT count(*) FROM hot_events").fetchall() == [(events,)]
        assert connection.execute("FROM archive_files").fetchall() == []
    with connect_live(live, RULES) as connection:
        assert {name: found.rows for name, found in broken(connection).items() if found.rows} == {}
