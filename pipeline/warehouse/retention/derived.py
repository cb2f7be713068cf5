"""Sessions, orders, conversions and touches, which go with what they were made of (T11)."""

from __future__ import annotations

from datetime import timedelta

import duckdb

from pipeline.warehouse.retention.transaction import run
from pipeline.warehouse.sql import files


def expire(connection: duckdb.DuckDBPyConnection, term: timedelta, *, partitions: int) -> bool:
    """Move `derived_from` by a day of sessions, if it may move; False if it stays.

    It never falls back, and moves once each of `partitions` has a stream time.
    """
    connection.execute("SET VARIABLE term = $term", {"term": term})
    connection.execute("SET VARIABLE partitions = $partitions", {"partitions": partitions})
    connection.execute(dict(files("retention"))["next_cut"])
    ((is_due,),) = connection.execute("SELECT getvariable('cut') IS NOT NULL").fetchall()
    if is_due:
        run(connection, "expired_days", "moved_cut")
    return bool(is_due)


def expire_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go what lies before `derived_from` since rows have changed. Within a transaction."""
    connection.execute("SET VARIABLE cut = (SELECT derived_from FROM retention)")
    ((is_moved,),) = connection.execute("SELECT getvariable('cut') IS NOT NULL").fetchall()
    if is_moved:
        connection.execute(dict(files("retention"))["expired_days"])
