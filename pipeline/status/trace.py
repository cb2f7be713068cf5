"""What became of an event, or of a record of `beacons`, from the door to the tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipeline.status.status import Status
from pipeline.status.unpublished import Found
from pipeline.topics import Rejected


class NoRecordError(Exception):
    """The record that is asked for has not been written."""


# Each counts the rows of an event; the name says of what.
_ROWS = {
    "order lines": "FROM order_lines WHERE event_key = $1 AND store_id = $2",
    "conversions": "FROM conversion_facts WHERE event_key = $1 AND store_id = $2",
    "touches on paths": "FROM conversion_touches WHERE touch_event_key = $1 AND store_id = $2",
}
_EVENTS = (
    "SELECT event_key, store_id, event_type, occurred_at, received_at, partition,"
    ' "offset", is_late, session_id, event_id FROM events'
)


def trace_event(connection: duckdb.DuckDBPyConnection, event_id: str) -> Iterator[str]:
    """What the snapshot has of the events with this id or key: tables, repeats, refusals."""
    named = "event_id = $1 OR event_key = TRY_CAST($1 AS UUID)"  # what `_events` calls it
    yield from _events(connection, f"{_EVENTS} WHERE {named} ORDER BY ALL", event_id)
    for store, at, reason, detail in _rows(
        connection,
        "SELECT store_id, received_at, reason, detail FROM rejected_events"
        " WHERE CASE WHEN json_valid(raw) THEN raw ->> '$.event_id' END = $1 ORDER BY ALL",
        event_id,
    ):
        yield _refusal(at, store, reason, detail)


def trace_unpublished(status: Status, found: Found) -> Iterator[str]:
    """What Kafka has of an event that the snapshot lacks."""
    for each in found.records:
        yield stage_of(status, *each)
    for refused in found.refusals:
        yield f"{_waiting_refusal(refused)}; waiting for the loader or its next snapshot"


def _waiting_refusal(refused: Rejected) -> str:
    at = datetime.fromtimestamp(refused.received_at / 1000, UTC).replace(tzinfo=None)
    return _refusal(at, refused.store_id, refused.reason, refused.detail)


def _refusal(at: datetime | None, store: str, reason: str, detail: str) -> str:
    return f"refused at {at or 'an unknown time'}, store {store}: {reason}, {detail}"


def trace_record(
    connection: duckdb.DuckDBPyConnection, partition: int, offset: int
) -> Iterator[str]:
    """What the snapshot has of a record of `beacons`."""
    place = [partition, offset]
    yield from _events(
        connection, f'{_EVENTS} WHERE partition = $1 AND "offset" = $2 ORDER BY ALL', *place
    )
    for store, kind, at in _rows(
        connection,
        "SELECT store_id, kind, received_at FROM duplicates"
        ' WHERE partition = $1 AND "offset" = $2 ORDER BY ALL',
        *place,
    ):
        yield f"a repeat ({kind}) of an event of store {store}, received {at}: dropped"


def _events(connection: duckdb.DuckDBPyConnection, text: str, *values: Any) -> Iterator[str]:
    for row in _rows(connection, text, *values):
        key, store, kind, occurred, received, partition, offset, is_late, session, name = row
        late = ", late" if is_late else ""
        yield f"{kind} {name or key} of store {store}, {occurred}, session {session}"
        yield f"  received {received}; record {partition}:{offset} of beacons; in events{late}"
        counts = [
            f"{number} {what}"
            for what, rows in _ROWS.items()
            for ((number,),) in [_rows(connection, f"SELECT count(*) {rows}", key, store)]  # ours
            if number
        ]
        if counts:
            yield f"  {', '.join(counts)}"
        for repeat, at, other, where in _rows(
            connection,
            'SELECT kind, received_at, partition, "offset" FROM duplicates'
            " WHERE event_key = $1 AND store_id = $2 ORDER BY ALL",
            *(key, store),
        ):
            yield f"  came again ({repeat}) {at}, record {other}:{where}: dropped"


def _rows(connection: duckdb.DuckDBPyConnection, text: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(text, list(values)).fetchall()


def stage_of(status: Status, partition: int, offset: int) -> str:
    """How far the record is: in the snapshot, processed, or waiting for a worker.

    Raises `NoRecordError` if Kafka has no such record yet.
    """
    place = f"record {partition}:{offset} of beacons"
    found = next((each for each in status.partitions if each.partition == partition), None)
    if found is not None and found.ledger is not None and offset < found.ledger.next_origin:
        return f"{place}: in the snapshot"
    if status.behind is None:
        return f"{place}: not in the snapshot"
    if found is None or found.end is None:
        raise NoRecordError(f"beacons has no partition {partition}")
    if offset >= found.end:
        raise NoRecordError(f"{place}: not written yet, the next one is {found.end}")
    if offset < (found.committed or 0):
        return f"{place}: processed, and waiting for the loader or its next snapshot"
    return f"{place}: waiting for a worker"
