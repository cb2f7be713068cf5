"""One event's bytes to a valid `WireEvent`, or to the reason why not."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import StrEnum

from pydantic import ValidationError

from pipeline.domain.events import is_too_old
from pipeline.ingest.wire import WireEvent

MAX_EVENT_BYTES = 32 * 1024
# A line's revenue must fit DECIMAL(18, 4).
MAX_REVENUE = Decimal(10**14)


class Reason(StrEnum):
    """Why an event was refused at the door."""

    NOT_AN_EVENT = "not_an_event"
    TOO_LARGE = "too_large"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MISSING_FIELD = "missing_field"
    INVALID_VALUE = "invalid_value"
    TOO_OLD = "too_old"


class Refusal(Exception):  # noqa: N818  # a refused event is a value of the trade, not an error
    """An event that is not valid: its reason, and the field and what is wrong with it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


_LINES = "items|product_id"
REQUIRED: dict[str, tuple[str, ...]] = {
    "product_view": ("product_id",),
    "add_to_cart": ("product_id",),
    "product_click": ("product_id", "position"),
    "product_impression": ("product_id", "position"),
    "product_hover": ("product_id", "position"),
    "product_touch": ("product_id", "position"),
    "collection_view": ("collection_handle",),
    "search": ("query",),
    "autocomplete": ("query",),
    "block_view": ("attribution_token|block_id",),
    "purchase": (_LINES,),
    "refund": ("order_id", _LINES),
}

_validate = WireEvent.__pydantic_validator__.validate_json


def validate(raw: bytes, *, received_at: int, may_backfill: bool) -> tuple[WireEvent, bytes]:
    """The event in `raw`, and its text, mended where a lone surrogate had to go.

    Raises `Refusal`. `received_at` in ms decides what is too old (T4).
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise Refusal(Reason.TOO_LARGE, f"event: {len(raw)} bytes, at most {MAX_EVENT_BYTES}")
    try:
        event = _validate(raw)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] != "json_invalid":
            raise _refusal(error) from None
        raw = _mended(raw)
        try:
            event = _validate(raw)
        except ValidationError as still:
            raise _refusal(still) from None
    _require(event)
    if not may_backfill and is_too_old(event.timestamp, received_at=received_at):
        raise Refusal(Reason.TOO_OLD, "timestamp: more than 30 days before it was received")
    return event, raw


def _mended(raw: bytes) -> bytes:
    # A query cut inside an emoji leaves half a surrogate pair, which no UTF-8 can hold.
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError) as error:
        raise Refusal(Reason.NOT_AN_EVENT, f"event: {error}") from None


def _refusal(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "event"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing" or (first["loc"] and first["input"] is None):
        return Refusal(Reason.MISSING_FIELD, f"{field}: required")
    if field == "event_type":
        return Refusal(Reason.UNKNOWN_EVENT_TYPE, f"{field}: {message}")
    if field == "event":
        return Refusal(Reason.NOT_AN_EVENT, f"{field}: {message}")
    return Refusal(Reason.INVALID_VALUE, f"{field}: {message}")


def _require(event: WireEvent) -> None:
    for names in REQUIRED[event.event_type]:
        if all(getattr(event, name) is None for name in names.split("|")):
            wanted = names.replace("|", " or ")
            raise Refusal(Reason.MISSING_FIELD, f"{wanted}: required by {event.event_type}")
    prices = [(event.quantity, event.price)]
    prices += [(item.quantity, item.price) for item in event.items or ()]
    for quantity, price in prices:
        if price is None:
            continue
        if event.currency is None:
            raise Refusal(Reason.MISSING_FIELD, "currency: required with a price")
        if Decimal(price) * (quantity or 1) >= MAX_REVENUE:
            raise Refusal(Reason.INVALID_VALUE, "price: times quantity is 10^14 or more")
