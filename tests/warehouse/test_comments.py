"""A snapshot says itself what it holds: every object and column has a comment (decision 0041)."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from archived import day, freeze
from factories import Log, visit
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.comments import comment, glossary
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

NAMED = {
    "duckdb_tables()": "table_name",
    "duckdb_views()": "view_name",
    "duckdb_columns()": "table_name || '.' || column_name",
    "duckdb_functions()": "function_name",
}


def without_comment(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    return [
        name
        for of, column in NAMED.items()
        for (name,) in connection.execute(
            f"SELECT {column} FROM {of} WHERE NOT internal AND database_name = '{database}'"
            " AND coalesce(comment, '') = '' ORDER BY ALL"
        ).fetchall()
    ]


def filled(path: Path) -> Warehouse:
    warehouse = Warehouse(path)
    log = Log(RULES)
    visit(log)
    warehouse.load(log.outcomes)
    return warehouse


def test_everything_in_a_snapshot_has_a_comment_also_after_a_day_was_archived(
    tmp_path: Path,
) -> None:
    warehouse, snapshot = filled(tmp_path / "live.duckdb"), tmp_path / "analytics.duckdb"
    publisher = SnapshotPublisher(warehouse.connection, warehouse.path, snapshot)
    assert in_next_snapshot(publisher, snapshot) == []
    # Its view is made again, and loses its comments.
    freeze(warehouse.connection, archive_folder(warehouse.path), day(0))
    assert "events" in without_comment(warehouse.connection, "live")
    assert in_next_snapshot(publisher, snapshot) == []
    warehouse.connection.close()


def in_next_snapshot(publisher: SnapshotPublisher, snapshot: Path) -> list[str]:
    """What has no comment in it."""
    publisher.publish()
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{snapshot}' AS shop (READ_ONLY)")
        return without_comment(reader, "shop")


def test_a_comment_says_meaning_rule_and_unit(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "live.duckdb")
    comment(warehouse.connection)
    assert warehouse.rows(
        "SELECT comment FROM duckdb_columns()"
        " WHERE table_name = 'funnel' AND column_name = 'bought'"
    ) == [("Sessions with an order. (S6; count)",)]
    # From the section that the glossary refers to.
    assert warehouse.rows(
        "SELECT comment FROM duckdb_columns()"
        " WHERE table_name = 'hot_events' AND column_name = 'hour'"
    ) == [("Hour of `occurred_at` in the store's time zone, 0 to 23. (T10; number)",)]
    warehouse.connection.close()


def test_comments_are_written_once_and_again_where_they_differ(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "live.duckdb")
    connection, log = warehouse.connection, warehouse.path.with_name("live.duckdb.wal")
    comment(connection)
    size = log.stat().st_size
    comment(connection)
    assert log.stat().st_size == size
    connection.execute("COMMENT ON COLUMN sessions.orders IS 'of an earlier version'")
    comment(connection)
    assert warehouse.rows(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'sessions'"
        " AND column_name = 'orders'"
    ) == [(glossary().meaning("sessions", "orders"),)]
    connection.close()


def test_a_database_that_was_killed_after_them_opens_with_them_and_its_rows(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "live.duckdb")
    comment(warehouse.connection)
    warehouse.connection.execute("INSERT INTO positions VALUES ('topic', 'id', 0, 7)")
    # As a kill leaves them: nothing of the log is in the file.
    killed = tmp_path / "killed.duckdb"
    shutil.copy(warehouse.path, killed)
    shutil.copy(warehouse.path.with_name("live.duckdb.wal"), f"{killed}.wal")
    with duckdb.connect(killed) as connection:
        assert without_comment(connection, "killed") == []
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(5,)]
        assert connection.execute("SELECT next_offset FROM positions").fetchall() == [(7,)]
    warehouse.connection.close()
