"""A warehouse with a past: copies of traffic's rows in the weeks before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import duckdb
from beacons import END, accepted

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.replay.memory_worker import MemoryWorker
from pipeline.warehouse.aggregates import AGGREGATES
from pipeline.warehouse.archive.freezing import Span, make_folders
from pipeline.warehouse.days import DAYS
from pipeline.warehouse.manifest import ArchiveFile, define_events, layout_of, own_folder

WEEK = 7
# Of `hot_events`, as in a file of the archive.
ORDER = "day, store_id, device_key, occurred_at"
# All that grows with history. An aggregate has no more rows for more devices.
AGGREGATED = tuple(aggregate.name for aggregate in AGGREGATES)
TABLES = (
    "order_lines",
    "sessions",
    "session_revenue",
    "touches",
    "conversion_facts",
    "conversion_touches",
)


def outcomes_of(path: Path, rules: Rules) -> Iterator[Outcome]:
    """The outcomes of the traffic."""
    worker, appended_at = MemoryWorker(rules), round(END.timestamp() * 1000)
    for one in accepted(path):
        for key, value in one.records:
            yield worker.process(key, value, appended_at=appended_at)


def fill(
    connection: duckdb.DuckDBPyConnection,
    base: Path,
    weeks: int,
    *,
    copies: int = 1,
    archive: Path | None = None,
) -> None:
    """Write the rows of `base`, and before them those of so many weeks, into an empty warehouse.

    Each of those weeks has the rows of `base` `copies` times. With `archive`, the folder of the
    warehouse's archive, their events are in files by day.
    """
    connection.execute(f"ATTACH '{base}' AS base (READ_ONLY)")
    held = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'base'"
    ).fetchall()
    kept = {name for (name,) in held} - {"migrations", "rules", "archive_folder"}
    for week in range(weeks, 0, -1):
        for name in TABLES:
            connection.execute(f"INSERT INTO {name} {_copied(connection, name, week, copies)}")
        for name in AGGREGATED:
            connection.execute(f"INSERT INTO {name} {_copied(connection, name, week, 1)}")
        events = _copied(connection, "hot_events", week, copies)
        if archive is None:
            connection.execute(f"INSERT INTO hot_events {events}")
        else:
            _archive(connection, archive, events)
    for name in kept:
        connection.execute(f"INSERT INTO {name} FROM base.{name}")
    connection.execute("UPDATE ledger SET events = events * ?", [weeks * copies + 1])
    connection.execute("DETACH base")
    connection.execute("CHECKPOINT")
    if archive:
        define_events(connection, archive)


def _copied(connection: duckdb.DuckDBPyConnection, table: str, week: int, copies: int) -> str:
    """The query of the rows of `base`, so many weeks earlier and under other names."""
    number, earlier = f"'{week}-' || copy", f"to_days({WEEK * week})"
    changed = {
        "device_key": f"device_key || '-' || {number}",
        "device_key_hash": f"device_key_hash_of(store_id, device_key || '-' || {number})",
        "order_id": f"order_id || '-' || {number}",
        "order_hash": f"order_hash_of(store_id, order_id || '-' || {number})",
        **{
            name: f"md5({name}::VARCHAR || {number})::UUID"
            for name in ("event_key", "session_key", "conversion_key", "touch_event_key")
        },
        **{
            name: f"{name} - {earlier}"
            for name in ("occurred_at", "received_at", "started_at", "ended_at", "touched_at")
        },
        "day": f"day - {earlier}",
        "is_open": "false",
    }
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    columns = {name: kind for name, kind, *_ in described}
    if at := columns.keys() & {"occurred_at", "started_at"}:
        # Summer time may begin between the weeks.
        expressions = DAYS["in_events" if "occurred_at" in at else "in_sessions"]
        changed |= {
            name: re.sub(r"\w+_at", lambda time: changed[time[0]], text)
            for name, text in expressions.items()
        }
    replaced = ", ".join(
        f"CAST({changed[each]} AS {columns[each]}) AS {each}" for each in changed if each in columns
    )
    return (
        f"SELECT rows.* EXCLUDE (copy) REPLACE ({replaced})"
        f" FROM (FROM base.{table} CROSS JOIN range({copies}) AS copies(copy)) AS rows"
        " JOIN (SELECT store_id, timezone FROM base.stores) AS stores USING (store_id)"
    )


def _archive(connection: duckdb.DuckDBPyConnection, folder: Path, events: str) -> None:
    """Write `events` into named files as the archiver does, but unsynced and not read again."""
    days = connection.execute(
        f"SELECT day, count(*), min(occurred_at), max(occurred_at), max(received_at)"
        f" FROM ({events}) GROUP BY day ORDER BY day"
    ).fetchall()
    layout, own = layout_of(connection, "hot_events"), own_folder(connection)
    for day, *about in days:
        path = _path(folder / own, day)
        connection.execute(
            f"COPY (FROM ({events}) WHERE day = DATE '{day}' ORDER BY {ORDER}) TO '{path}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        digest = sha256(path.read_bytes()).hexdigest()
        name, size = str(path.relative_to(folder)), path.stat().st_size
        file = ArchiveFile(name, day, day, size, digest, layout, *about)
        connection.execute("INSERT INTO archive_files VALUES (?,?,?,?,?,?,?,?,?,?)", file.row())


def _path(own: Path, day: date) -> Path:
    folder = own / "events" / Span(day, day).folder
    make_folders(folder, 0o400)
    return folder / f"{len(list(folder.iterdir()))}.parquet"
