"""A file of `sql/retention` as one transaction."""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.warehouse.sql import files


def run(connection: duckdb.DuckDBPyConnection, name: str, *, cut: date) -> None:
    """Run `sql/retention/<name>.sql` with the variable `cut`; whole, or not at all.

    DuckDB skips row groups by a variable, as by a literal.
    """
    connection.execute("SET VARIABLE cut = $cut", {"cut": cut})
    connection.execute("BEGIN")
    try:
        connection.execute(dict(files("retention"))[name])
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
