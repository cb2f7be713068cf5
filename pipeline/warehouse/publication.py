"""When a snapshot was made and by which version, in the snapshot itself: the view `snapshot`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import duckdb

_SIGN = """
    MERGE INTO publication USING (
        SELECT
            date_trunc('milliseconds', timezone('UTC', now())) AS published_at,
            $version AS version
    ) AS made
        ON true
    WHEN MATCHED THEN UPDATE SET published_at = made.published_at, version = made.version
    WHEN NOT MATCHED THEN INSERT
"""


def sign(connection: duckdb.DuckDBPyConnection) -> None:
    """Note that a snapshot is made now, in a transaction of its own."""
    connection.execute(_SIGN, {"version": _version()}).fetchall()


@cache
def _version() -> str:
    return version("clickstream-pipeline")
