"""Duplicates and rejected events, which go by the day that they came."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.warehouse.retention.terms import DAY
from pipeline.warehouse.retention.transaction import run

# The newest arrival, and no clock: a replay of old records keeps what is young among them.
_NEWEST = """
    SELECT greatest(
        (SELECT max(received_at) FROM hot_events),
        (SELECT max(received_at) FROM duplicates),
        (SELECT max(received_at) FROM rejected_events)
    )
"""


def expire(connection: duckdb.DuckDBPyConnection, table: str, term: timedelta) -> bool:
    """Delete the oldest day of `table` that came more than `term` before the newest arrival.

    In one transaction; False when there is none. `table` is `duplicates` or `rejected_events`.
    """
    ((newest,),) = connection.execute(_NEWEST).fetchall()
    ((oldest,),) = connection.execute(f"SELECT min(received_day) FROM {table}").fetchall()  # noqa: S608  # our own names
    if newest is None or oldest is None or oldest >= (newest - term).date():
        return False
    connection.execute("SET VARIABLE cut = $cut", {"cut": oldest + DAY})
    run(connection, f"expired_{table.removesuffix('_events')}")
    return True
