"""The views of `sql/views` in a database, created again only where they have changed."""

from __future__ import annotations

from hashlib import sha256

import duckdb

from pipeline.warehouse.sql import files, in_order, inlined

# Not their text: DuckDB writes it in other words once the file was closed.
_HELD = """
    SELECT view_name, column_name, data_type
    FROM duckdb_views() JOIN duckdb_columns() ON view_name = table_name
    WHERE NOT duckdb_views.internal AND NOT temporary
        AND duckdb_views.database_name = current_database()
        AND duckdb_columns.database_name = current_database()
    ORDER BY ALL
"""


def keep_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create all, unless the database holds them as this version with this DuckDB created them.

    DuckDB binds each view with all that it reads: half of the time to open a database.
    """
    ((held,),) = connection.execute("SELECT views_digest FROM rules").fetchall()
    if held != _digest(connection):
        define_views(connection)
        connection.execute("UPDATE rules SET views_digest = ?", [_digest(connection)])


def define_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create those of `sql/views`."""
    for name, text in in_order("views"):
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {inlined(text)}")


def _digest(connection: duckdb.DuckDBPyConnection) -> str:
    """Of the views that the database holds, and of all that they were created from."""
    made_from = [files("migrations"), files("macros"), files("views"), duckdb.__version__]
    held = connection.execute(_HELD).fetchall()
    return sha256(repr((made_from, held)).encode()).hexdigest()
