"""Writes the live database again: DuckDB does not overwrite the blocks of rows that are deleted."""

from __future__ import annotations

from pathlib import Path

from pipeline.domain.rules import Rules
from pipeline.warehouse.beside import beside, sync
from pipeline.warehouse.database import DatabaseError, connect_live, open_live
from pipeline.warehouse.manifest import archive_folder, define_events
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.sql import quoted


def compact(live: Path, rules: Rules, resources: Resources | None = None) -> None:
    """Replace `live` by a file of the rows that it has, and nothing else.

    A kill leaves the old or the new. Nothing in this process may have it open. Raises OSError,
    duckdb.Error, and `DatabaseError` when another process has.
    """
    with open_live(live, resources) as connection:
        # A log would be replayed onto the new file.
        connection.execute("CHECKPOINT")
    with beside(live) as fresh, connect_live(fresh, rules, resources) as connection:
        connection.execute(f"ATTACH {quoted(live)} AS old (READ_ONLY)")
        if live.with_name(f"{live.name}.wal").exists():
            raise DatabaseError(f"a loader has just written to {live}: stop it")
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' ORDER BY ALL"
        ).fetchall()
        for (name,) in tables:
            connection.execute(f"DELETE FROM {name}")  # noqa: S608  # our own names
            connection.execute(f"INSERT INTO {name} BY NAME FROM old.{name}")
        define_events(connection, archive_folder(live))
        connection.execute("CHECKPOINT")
        sync(fresh)
        # Both files are locked until then.
        fresh.replace(live)
        sync(live.parent)
