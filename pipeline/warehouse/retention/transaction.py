"""Files of `sql/retention` as one transaction."""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from pipeline.warehouse.sql import files


def run(
    connection: duckdb.DuckDBPyConnection, *names: str, then: Callable[[], None] = lambda: None
) -> None:
    """Run the files `names`, which read the variable `cut`, and `then`; all of it, or nothing.

    DuckDB skips row groups by a variable, as by a literal.
    """
    texts = dict(files("retention"))
    connection.execute("BEGIN")
    try:
        for name in names:
            connection.execute(texts[name])
        then()
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
