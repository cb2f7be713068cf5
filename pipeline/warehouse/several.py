"""Several snapshots as one: those of pipelines that share a load by store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipeline.warehouse.cause import cause
from pipeline.warehouse.database import (
    DatabaseError,
    NoSnapshotError,
    define,
    define_scalar_macros,
)
from pipeline.warehouse.limits import lock
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.sql import quoted
from pipeline.warehouse.views import define_views

_SHARED = """
    SELECT store_id, string_agg(snapshot, ' and in ' ORDER BY snapshot)
    FROM snapshot_stores
    GROUP BY store_id
    HAVING count(*) > 1
    ORDER BY store_id
"""


def connect_several(
    snapshots: Mapping[str, Path], *, memory: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A reader's connection whose tables are those of all `snapshots`, by their names.

    It can read nothing but them and their archives; `memory` is as in `lock`. Raises
    `DatabaseError` when a store is in two of them, or they count by different rules.
    """
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        first = next(iter(snapshots.values()))
        connection.execute(f"SET temp_directory = {quoted(first.with_name(f'{first.name}.tmp'))}")
        for name, path in snapshots.items():
            _attach(connection, name, path)
        names = [f'"{name}"' for name in snapshots]
        _refuse_shared_stores(connection, list(snapshots))
        _refuse_other_rules(connection, names)
        _define_tables(connection, names)
        define_scalar_macros(connection)
        define(connection)
        define_views(connection)
        folders = [archive_folder(path) for path in snapshots.values()]
        lock(connection, *folders, memory=memory)
    except duckdb.IOException as error:  # binding reads a file of an archive
        connection.close()
        raise DatabaseError(
            f"a snapshot cannot be read without its archive: {cause(error)}"
        ) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise DatabaseError(f"{name!r} is no name for a snapshot: use letters, digits, _ and -")
    if not path.exists():
        raise NoSnapshotError(f"there is no snapshot at {path} to attach as {name}")
    try:
        connection.execute(f'ATTACH {quoted(path)} AS "{name}" (READ_ONLY)')
    except duckdb.Error as error:
        raise DatabaseError(f"{path} cannot be attached as {name}: {cause(error)}") from None


def _refuse_shared_stores(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    stores = " UNION ALL ".join(
        f"SELECT '{name}' AS snapshot, store_id FROM \"{name}\".stores"  # noqa: S608  # our names
        for name in names
    )
    shared = connection.execute(f"WITH snapshot_stores AS ({stores}) {_SHARED}").fetchall()
    if shared:
        store, places = shared[0]
        raise DatabaseError(
            f"store {store!r} is in {places}: each store belongs to one pipeline, or it would be"
            " counted twice"
        )


def _refuse_other_rules(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    columns = "digest, warehouse_digest, half_life, most_touches"
    rules = " UNION ".join(f"SELECT {columns} FROM {name}.rules" for name in names)  # noqa: S608  # the same
    if len(connection.execute(rules).fetchall()) > 1:
        raise DatabaseError(
            "the snapshots count by different rules: `pipeline rules show` shows those of each"
        )


def _define_tables(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    tables = connection.execute(
        "SELECT DISTINCT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
    ).fetchall()
    for table in ("events", *(table for (table,) in tables)):
        # Of rules there is one row, and it is the same in all.
        places = names[:1] if table == "rules" else names
        rows = " UNION ALL BY NAME ".join(f"FROM {name}.{table}" for name in places)
        connection.execute(f"CREATE VIEW {table} AS {rows}")
