"""An export has the rows of its snapshot by day, and the next one writes only what changed."""

from __future__ import annotations

import re
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from archived import freeze
from deltalake import DeltaTable
from each_kill import assert_whole_after
from exported import TABLES, assert_equals, in_export, in_order, in_snapshot, listed, relation
from homes import files_in, first_hot_day, make_home, merge_all, publish

from pipeline.warehouse.database import DatabaseError, NoSnapshotError, connect_published
from pipeline.warehouse.export import exporting
from pipeline.warehouse.export.exporting import Exported
from pipeline.warehouse.export.selection import Selection

ALL = Selection()
UNDATED = {"catalog", "ledger", "rules", "stores"}
# Tables that only the loader reads, and those whose rows a view has.
OF_THE_LOADER = {
    "archive_files",
    "archive_folder",
    "catalog_imports",
    "erasures",
    "expired_orders",
    "late_devices",
    "migrations",
    "positions",
    "publication",
    # What views read together with events.
    "summed_until",
    "summed_blended",
    "summed_searches",
    "unsummed_sessions",
}
BY_A_VIEW = {"hot_events": "events", "conversion_facts": "conversions"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("made"))


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    home = Path(shutil.copytree(made, tmp_path / "home"))
    publish(home)
    return home


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def export(home: Path, lake: Path, selection: Selection = ALL, **given: Any) -> Exported:
    given = {"progress": lambda *_: None, **given}
    return exporting.export(home / "analytics.duckdb", lake, selection, **given)


@contextmanager
def snapshot(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect_published(home / "analytics.duckdb") as connection:
        yield connection


def days_of(lake: Path) -> dict[tuple[str, date | None], list[str]]:
    """The names of the files of each table and day."""
    return {
        (table, day.day): [file.name for file in day.files]
        for table, days in listed(lake).tables.items()
        for day in days
    }


def test_every_table_has_the_rows_of_the_snapshot(home: Path, lake: Path) -> None:
    done = export(home, lake)
    with snapshot(home) as connection:
        assert_equals(lake, connection)
        ((events, archived),) = connection.execute(
            "SELECT count(*), (SELECT sum(events) FROM archive_files) FROM events"
        ).fetchall()
    assert 0 < archived < events == len(in_export(lake, "events"))
    found = days_of(lake)
    assert done == Exported(len(found), len(found), sum(len(in_export(lake, t)) for t in TABLES))
    assert {table for table, day in found if day is None} == UNDATED
    for (table, day), names in found.items():
        assert {Path(name).parent.name for name in names} == {
            table if day is None else f"day={day}"
        }
    assert files_in(lake) == {
        *(name for names in found.values() for name in names),
        "export.json",
        "lock",
    }


def test_columns_have_types_that_other_engines_have(home: Path, lake: Path) -> None:
    export(home, lake)
    kinds = set()
    for table, days in listed(lake).tables.items():
        if days:
            described = duckdb.sql(f"DESCRIBE FROM {relation(lake, table)}").fetchall()
            kinds |= set(re.findall(r"[A-Z]+", " ".join(column[1] for column in described)))
    plain = {"VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP"}
    assert kinds == {*plain, "STRUCT"}


def test_no_table_is_forgotten(home: Path) -> None:
    with snapshot(home) as connection:
        held = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
        ).fetchall()
    tables = {BY_A_VIEW.get(name, name) for (name,) in held}
    assert tables - OF_THE_LOADER == set(TABLES)


def test_the_export_of_the_same_rows_writes_nothing(home: Path, lake: Path) -> None:
    export(home, lake)
    before, files = listed(lake), files_in(lake)
    # In the archive or not, and in another order.
    publish(
        home, lambda connection: freeze(connection, home / "archive", first_hot_day(connection))
    )
    merge_all(home)
    done = export(home, lake)
    assert (done.days, done.rows) == (0, 0)
    assert done.compared == len(days_of(lake))
    assert files_in(lake) == files
    after = listed(lake)
    assert {day.as_of for days in before.tables.values() for day in days} != {
        day.as_of for days in after.tables.values() for day in days
    }


def test_only_days_that_changed_are_written(home: Path, lake: Path) -> None:
    export(home, lake)
    before = days_of(lake)
    dated = sorted(day for table, day in before if table == "sessions" and day is not None)
    changed, gone = dated[2], dated[4]

    def change(connection: Any) -> None:
        connection.execute(f"UPDATE sessions SET country = 'XX' WHERE day = '{changed}'")
        connection.execute(f"DELETE FROM daily_traffic WHERE day = '{gone}'")
        connection.execute("UPDATE stores SET zone_digest = 'another'")
        # The same number of rows.
        connection.execute(
            "UPDATE duplicates SET kind = 'conflict'"
            f" WHERE kind = 'exact' AND received_day = '{changed}'"
        )

    publish_as_it_is(home, change)
    export(home, lake)
    after = days_of(lake)
    assert before.keys() - after.keys() == {("daily_traffic", gone)}
    written = {where for where, names in after.items() if before[where] != names}
    assert written == {("sessions", changed), ("duplicates", changed), ("stores", None)}
    with snapshot(home) as connection:
        assert_equals(lake, connection)


def publish_as_it_is(home: Path, change: Any) -> None:
    """Change the snapshot itself: no loader would take such a database."""
    path = home / "analytics.duckdb"
    changed = Path(shutil.copy(path, home / "changed.duckdb"))
    changed.chmod(0o600)
    with duckdb.connect(changed) as connection:
        change(connection)
    changed.replace(path)


@pytest.mark.parametrize("change", ["ADD COLUMN new BIGINT", "RENAME COLUMN quantity TO number"])
def test_other_columns_are_a_change_of_all_days(home: Path, lake: Path, change: str) -> None:
    export(home, lake)
    before = days_of(lake)
    publish_as_it_is(home, lambda c: c.execute(f"ALTER TABLE order_lines {change}"))
    export(home, lake)
    written = {where for where, names in days_of(lake).items() if before[where] != names}
    assert written == {where for where in before if where[0] == "order_lines"}


def test_what_is_not_selected_stays(home: Path, lake: Path) -> None:
    export(home, lake)
    before = days_of(lake)
    dated = sorted(day for table, day in before if table == "sessions" and day is not None)
    publish_as_it_is(
        home,
        lambda connection: connection.execute(
            "UPDATE sessions SET country = 'XX'; UPDATE order_lines SET price = 1;"
            f"DELETE FROM sessions WHERE day = '{dated[0]}'"
        ),
    )
    done = export(home, lake, Selection(("sessions",), dated[1], dated[2]))
    after = days_of(lake)
    assert after.keys() == before.keys()
    written = {where for where, names in after.items() if before[where] != names}
    assert written == {("sessions", dated[1]), ("sessions", dated[2])}
    assert (done.days, done.compared) == (2, 2)
    as_of = {day.day: day.as_of for day in listed(lake).tables["sessions"]}
    assert as_of[dated[0]] == as_of[dated[3]] < as_of[dated[1]] == as_of[dated[2]]


def test_some_tables_alone_are_an_export(home: Path, lake: Path) -> None:
    last = date(2026, 6, 29)
    export(home, lake, Selection(("events", "stores"), None, last))
    assert set(listed(lake).tables) == {"events", "stores"}
    with snapshot(home) as connection:
        held = connection.execute(f"FROM events WHERE day <= '{last}'").fetchall()
    assert in_export(lake, "events") == in_order(held)
    with pytest.raises(DatabaseError, match="there is no table 'evnts' to export; choose of: "):
        export(home, lake, Selection(("events", "evnts")))


def test_files_stay_for_one_more_export(home: Path, lake: Path) -> None:
    """Readers of the list before may have them open."""
    exports = []
    for country in ("XX", "YY", "ZZ"):
        publish_as_it_is(
            home,
            lambda connection, to=country: connection.execute(
                f"UPDATE sessions SET country = '{to}'"
            ),
        )
        export(home, lake)
        exports.append({name for names in days_of(lake).values() for name in names})
    held = files_in(lake) - {"export.json", "lock"}
    assert held == exports[1] | exports[2]
    assert exports[0] - exports[1]
    # Of a day that is gone nothing is left.
    publish_as_it_is(home, lambda connection: connection.execute("TRUNCATE daily_traffic"))
    for _ in range(2):
        export(home, lake)
    assert list((lake / "daily_traffic").iterdir()) == []


def test_files_that_a_merge_removes_meanwhile_are_those_of_a_newer_snapshot(
    home: Path, lake: Path
) -> None:
    turns: list[str] = []

    def progress(name: str, *_: int) -> None:
        if name == "events" and not turns:
            turns.append(name)
            merge_all(home)

    export(home, lake, progress=progress)
    assert turns
    with snapshot(home) as connection:
        assert_equals(lake, connection)


def test_a_missing_file_of_the_archive_is_named(home: Path, lake: Path) -> None:
    export(home, lake, Selection(("stores",)))
    before = (lake / "export.json").read_bytes()
    name = min(files_in(home / "archive"))
    (home / "archive" / name).unlink()
    with pytest.raises(DatabaseError, match=f"archived events are missing: .*{name}"):
        export(home, lake)
    assert (lake / "export.json").read_bytes() == before


def test_a_full_disk_ends_it_however_often_snapshots_are_replaced(home: Path, lake: Path) -> None:
    newer = iter([Path(shutil.copy(home / "analytics.duckdb", home / f"{n}.new")) for n in "12"])
    export(home, lake, Selection(("stores",)))
    before = (lake / "export.json").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def progress(name: str, *_: int) -> None:
        if name == "events":
            next(newer).replace(home / "analytics.duckdb")
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))

    try:
        with pytest.raises(duckdb.IOException, match="File too large"):
            export(home, lake, progress=progress)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert next(newer)  # one attempt
    assert (lake / "export.json").read_bytes() == before
    export(home, lake)
    with snapshot(home) as connection:
        assert_equals(lake, connection)


def test_nothing_is_exported_of_nothing(made: Path, home: Path, lake: Path) -> None:
    with pytest.raises(NoSnapshotError, match="no snapshot at"):
        export(made, lake)
    (lake / "export.json").write_text("{")
    with pytest.raises(DatabaseError, match=r"export.json cannot be read .*: delete it"):
        export(home, lake)


def test_one_export_at_a_time(home: Path, lake: Path) -> None:
    def progress(*_: object) -> None:
        with pytest.raises(DatabaseError, match="another process is writing to"):
            export(home, lake)

    export(home, lake, Selection(("stores",)), progress=progress)


def test_a_kill_at_any_step_leaves_the_former_export_or_the_new_one(
    home: Path, lake: Path, every: int
) -> None:
    export(home, lake, Selection(("sessions", "stores")))
    day = listed(lake).tables["sessions"][0].day
    assert day is not None
    publish_as_it_is(
        home,
        lambda connection: connection.execute(
            f"DELETE FROM sessions WHERE day = '{day}'; UPDATE stores SET zone_digest = 'another';"
            f"UPDATE sessions SET country = 'XX' WHERE day = '{day + timedelta(days=1)}'"
        ),
    )
    kills = {"fsync", "rename", "replace", "rmdir"}
    assert_whole_after("backup_kills.py", "export", home, lake, every=every, kills=kills)


def in_delta(connection: duckdb.DuckDBPyConnection, lake: Path, table: str) -> list[Any]:
    """Every row of a Delta table, in order, with the columns in the order of the snapshot.

    There is none of a table without rows.
    """
    if not listed(lake).tables[table]:
        return []
    described = connection.execute(f"DESCRIBE {TABLES[table]}").fetchall()
    rows = DeltaTable(lake / table).to_pyarrow_table(columns=[column[0] for column in described])
    return in_order(duckdb.from_arrow(rows).fetchall())


def versions(lake: Path) -> dict[str, int]:
    tables = listed(lake).tables
    return {table: DeltaTable(lake / table).version() for table, days in tables.items() if days}


def test_delta_tables_have_the_rows_of_the_snapshot(home: Path, lake: Path) -> None:
    for _ in range(2):
        export(home, lake, format="delta")
        with snapshot(home) as connection:
            for table in TABLES:
                assert in_delta(connection, lake, table) == in_snapshot(connection, table), table
        # The second writes nothing.
        assert set(versions(lake).values()) == {0}
    with pytest.raises(DatabaseError, match="holds an export as delta: use another folder"):
        export(home, lake)


def test_a_delta_table_gets_its_changed_days_in_one_commit(home: Path, lake: Path) -> None:
    export(home, lake, format="delta")
    days = sorted(day.day for day in listed(lake).tables["sessions"] if day.day is not None)
    publish_as_it_is(
        home,
        lambda connection: connection.execute(
            f"DELETE FROM sessions WHERE day = '{days[0]}'; UPDATE stores SET timezone = 'UTC+0';"
            f"UPDATE sessions SET country = 'XX' WHERE day IN ('{days[1]}', '{days[2]}');"
            "ALTER TABLE touches ADD COLUMN new BIGINT"
        ),
    )
    files = set(DeltaTable(lake / "sessions").file_uris())
    done = export(home, lake, format="delta")
    with snapshot(home) as connection:
        for table in ("sessions", "stores", "touches"):
            assert in_delta(connection, lake, table) == in_snapshot(connection, table), table
    changed = {table for table, version in versions(lake).items() if version > 0}
    assert changed == {"sessions", "stores", "touches"}
    assert set(versions(lake).values()) == {0, 1}
    assert done.days == 3 + 1 + len(listed(lake).tables["touches"])
    # Files of other days stay.
    assert len(files & set(DeltaTable(lake / "sessions").file_uris())) == len(days) - 3


def test_a_delta_export_that_was_interrupted_is_done_again(home: Path, lake: Path) -> None:
    def interrupted(name: str, *_: int) -> None:
        if name == "sessions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(home, lake, format="delta", progress=interrupted)
    assert not (lake / "export.json").exists()
    export(home, lake, format="delta")
    with snapshot(home) as connection:
        for table in TABLES:
            assert in_delta(connection, lake, table) == in_snapshot(connection, table), table
    assert set(versions(lake).values()) == {0, 1}


def test_delta_needs_its_package(home: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(DatabaseError, match=r"pip install 'clickstream-pipeline\[delta\]'"):
        export(home, lake, format="delta")
    assert not (lake / "export.json").exists()
