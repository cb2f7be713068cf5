"""A warehouse with a past: copies of traffic's rows in the weeks before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from beacons import END, accepted

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.replay.memory_worker import MemoryWorker
from pipeline.warehouse.aggregates import AGGREGATES

WEEK = 7
# What a copy of a row says otherwise: all that names it, and when it was.
COPIED = {
    "device_key": "device_key || '-' || $1",
    "order_id": "order_id || '-' || $1",
    "order_hash": "order_hash_of(store_id, order_id || '-' || $1)",
    **{
        name: f"md5({name}::VARCHAR || $1)::UUID"
        for name in ("event_key", "session_key", "conversion_key", "touch_event_key")
    },
    **{
        name: f"{name} - to_days({WEEK} * $1::INTEGER)"
        for name in ("occurred_at", "received_at", "started_at", "ended_at", "touched_at", "day")
    },
}
# All that grows with history.
TABLES = (
    "hot_events",
    "order_lines",
    "sessions",
    "session_revenue",
    "touches",
    "conversion_facts",
    "conversion_touches",
    *(aggregate.name for aggregate in AGGREGATES),
)


def outcomes_of(path: Path, rules: Rules) -> Iterator[Outcome]:
    """The outcomes of the traffic."""
    worker, appended_at = MemoryWorker(rules), round(END.timestamp() * 1000)
    for one in accepted(path):
        for key, value in one.records:
            yield worker.process(key, value, appended_at=appended_at)


def fill(connection: duckdb.DuckDBPyConnection, base: Path, weeks: int) -> None:
    """Write the rows of `base`, and before them those of so many weeks, into an empty warehouse."""
    connection.execute(f"ATTACH '{base}' AS base (READ_ONLY)")
    held = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'base'"
    ).fetchall()
    kept = {name for (name,) in held} - {"migrations", "rules"}
    for number in range(weeks, 0, -1):
        for name in TABLES:
            columns = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
            changed = ", ".join(f"{COPIED[each]} AS {each}" for each in COPIED if each in columns)
            query = f"INSERT INTO {name} SELECT * REPLACE ({changed}) FROM base.{name}"
            connection.execute(query, [str(number)])
    for name in kept:
        connection.execute(f"INSERT INTO {name} FROM base.{name}")
    connection.execute("DETACH base")
    connection.execute("CHECKPOINT")
