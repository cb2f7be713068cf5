"""The staging tables: their columns with Arrow types, and rows turned into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.domain.catalog import COLUMNS, COUNTS
from pipeline.domain.fields import Unit

Row = tuple[Any, ...]

_TEXT, _INT, _BOOL, _TIME = pa.string(), pa.int64(), pa.bool_(), pa.timestamp("ms")
_ITEMS = pa.list_(
    pa.struct(
        [
            ("product_id", _INT),
            ("variant_id", _INT),
            ("quantity", _INT),
            ("price", _TEXT),
            ("attribution_token", _TEXT),
        ]
    )
)
# Where an event stands in T5 order.
PLACE_FIELDS = {"occurred_at": _TIME, "rank": _INT, "event_key": _TEXT}
_PLACE = pa.struct(list(PLACE_FIELDS.items()))


def _schema(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _TEXT)


_TYPES: dict[Unit, pa.DataType] = {
    "text": _TEXT,
    "id": _INT,
    "count": _INT,
    # Exact; DuckDB casts it to DECIMAL.
    "money": _TEXT,
    "time": _TIME,
    "list": _ITEMS,
}
# The order is that of `event_row`; the warehouse inserts by name.
EVENT_FIELDS: dict[str, pa.DataType] = {
    **{name: _TYPES[about.unit] for name, about in COLUMNS.items() if name != "items"},
    **_texts("event_key", "search_term"),
    "is_clock_skewed": _BOOL,
}
VISITOR_FIELDS: dict[str, pa.DataType] = {
    **_texts("device_type", "browser", "os"),
    "is_bot": _BOOL,
}
REQUEST_FIELDS: dict[str, pa.DataType] = {
    **_texts("country", "region", "city"),
    "is_server": _BOOL,
    "is_prefetch": _BOOL,
}
EVENTS = _schema(
    **EVENT_FIELDS,
    items=_ITEMS,
    fingerprint=_TEXT,
    extra=_TEXT,
    repairs=pa.list_(_TEXT),
    is_trusted=_BOOL,
    needs_confirmation=_BOOL,
    store_id=_TEXT,
    received_at=_TIME,
    device_key=_TEXT,
    **VISITOR_FIELDS,
    **REQUEST_FIELDS,
    is_late=_BOOL,
    partition=_INT,
    offset=_INT,
    place=_INT,
)
DUPLICATES = _schema(
    store_id=_TEXT, event_key=_TEXT, kind=_TEXT, received_at=_TIME, partition=_INT, offset=_INT
)
REJECTED = _schema(
    store_id=_TEXT,
    received_at=_TIME,
    index=_INT,
    **_texts("reason", "detail", "raw", "request_id"),
)
SESSIONS = _schema(
    store_id=_TEXT,
    partition=_INT,
    device_key=_TEXT,
    session_key=_TEXT,
    session_id=_TEXT,
    started_at=_TIME,
    ended_at=_TIME,
    duration=pa.duration("ms"),
    events=_INT,
    **dict.fromkeys(COUNTS.values(), _INT),
    **_texts("first_event_type", "entry_collection", "entry_query"),
    entry_product_id=_INT,
    **_texts("marketing_source", "marketing_medium", "marketing_campaign", "shopping_channel"),
    **_texts("device_type", "browser", "country", "landing_token"),
    landing_product_id=_INT,
    is_bot=_BOOL,
    is_report=_BOOL,
    first_event_key=_TEXT,
    **dict.fromkeys(("marketing_event", "landing_token_event", "landing_product_event"), _PLACE),
    has_late=_BOOL,
    has_converted=_BOOL,
    orders=_INT,
    is_open=_BOOL,
)
GONE = _schema(store_id=_TEXT, device_key=_TEXT, session_key=_TEXT, started_at=_TIME)
CONVERSIONS = _schema(
    store_id=_TEXT,
    device_key=_TEXT,
    conversion_key=_TEXT,
    event_key=_TEXT,
    line=_INT,
    conversion_type=_TEXT,
    occurred_at=_TIME,
    session_id=_TEXT,
    product_id=_INT,
    variant_id=_INT,
    quantity=_INT,
    revenue=_TEXT,
    currency=_TEXT,
    match=_TEXT,
    attribution_token=_TEXT,
    is_bot=_BOOL,
    last_touch_token=_TEXT,
    touches=_INT,
    is_counted=_BOOL,
)
TOUCHES = _schema(
    store_id=_TEXT,
    device_key=_TEXT,
    conversion_key=_TEXT,
    occurred_at=_TIME,
    position=_INT,
    touches=_INT,
    touched_at=_TIME,
    attribution_token=_TEXT,
    product_id=_INT,
    touch_event_key=_TEXT,
)
DEVICES = _schema(store_id=_TEXT, device_key=_TEXT, partition=_INT, horizon=_TIME)
LEDGER = _schema(
    topic_id=_TEXT,
    partition=_INT,
    first_origin=_INT,
    next_origin=_INT,
    stream_time=_TIME,
    records=_INT,
    events=_INT,
    duplicates=_INT,
    failed=_INT,
    erased=_INT,
    expired=_INT,
    missing_until=_TIME,
    dropped_until=_TIME,
)
POSITIONS = _schema(topic=_TEXT, topic_id=_TEXT, partition=_INT, next_offset=_INT)

# Rows that become columns together: of more, Python's objects do not fit in the processor's cache,
# and turning them takes twice as long.
_TURNED = 2048


def table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """Rows, each in the order of `schema`, as columns."""
    batches = []
    for start in range(0, len(rows), _TURNED):
        columns = zip(*rows[start : start + _TURNED], strict=True)
        arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema)
