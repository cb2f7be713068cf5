"""The shape of an event on the wire (docs/contract.md), field by field.

The fields stand in alphabetical order, so that a struct's JSON without its absent fields is the
canonical JSON that the fingerprint is taken of (D1). msgspec and not pydantic: decision 0016.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipeline.domain.events import EVENT_TYPES

MAX_ID = 2**63 - 1
MAX_QUANTITY = 10**6
MAX_PRICE = 10**10
MAX_CONTEXT_BYTES = 8 * 1024
MAX_CONTEXT_DEPTH = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST = (datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ]|$)", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,11}(\.[0-9]{1,4})?", re.ASCII)


class FieldError(ValueError):
    """A field of the right type with a value that is none: "field: why"."""


def epoch_ms(value: object) -> int:
    """A `timestamp` in epoch milliseconds; text without an offset is UTC (T1)."""
    if type(value) is int:
        moment = value
    elif isinstance(value, str):
        # `fromisoformat` also reads 20260101123 and weeks, which nobody means as a time.
        if not _DATE.match(value):
            raise ValueError("not an ISO 8601 time")
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not an ISO 8601 time") from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        moment = (parsed - _EPOCH) // _MILLISECOND
    else:
        raise ValueError("neither text nor an integer")
    if not _FIRST <= moment <= _LAST:
        raise ValueError("outside the years 1 to 9999")
    return moment


def _id(value: int | str, field: str) -> int:
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise FieldError(f"{field}: not a whole number")
        value = int(value)
    if not 1 <= value <= MAX_ID:
        raise FieldError(f"{field}: not between 1 and {MAX_ID}")
    return value


def _price(value: float | str) -> str:
    """Exact text: up to 10^10 with four decimals has 15 digits, which a float still holds."""
    return _exact(value if isinstance(value, str) else format(Decimal(repr(value)), "f"))


# A shop has few prices. By text, and not by number: 0.0 would stand for -0.0.
@lru_cache(maxsize=4096)
def _exact(text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise FieldError("price: not a decimal of 0 to 10^10 with at most 4 places")
    price = Decimal(text)
    if price > MAX_PRICE:
        raise FieldError("price: over 10^10")
    return f"{price.normalize():f}"


def _context(value: dict[str, Any]) -> dict[str, Any]:
    ordered: dict[str, Any] = _sorted(value, depth=1)
    if len(msgspec.json.encode(ordered)) > MAX_CONTEXT_BYTES:
        raise FieldError("contextual_data: over 8 KiB")
    return ordered


def _sorted(value: Any, *, depth: int) -> Any:
    if depth > MAX_CONTEXT_DEPTH and isinstance(value, (dict, list)):
        raise FieldError(f"contextual_data: deeper than {MAX_CONTEXT_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth=depth + 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth=depth + 1) for item in value]
    return value


Name = Annotated[str, Meta(min_length=1, max_length=256)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]
Handle = Annotated[str, Meta(min_length=1, max_length=255)]
Query = Annotated[str, Meta(max_length=1024)]
Marketing = Annotated[str, Meta(max_length=256)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Position = Annotated[int, Meta(ge=1, le=MAX_ID)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class Item(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A line of a purchase or refund. Once made, ids are integers and the price exact text."""

    attribution_token: Token | None = None
    price: int | float | str | None = None
    product_id: int | str
    quantity: Quantity | None = None
    variant_id: int | str | None = None

    def __post_init__(self) -> None:
        """Check what a type cannot say. Raises `FieldError`."""
        _settle(self)


class WireEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event as a shop sends it; what its type requires is checked in `validate`.

    Once made, ids are integers, the timestamp epoch ms, the price exact text.
    """

    attribution_token: Token | None = None
    block_id: Name | None = None
    collection_handle: Handle | None = None
    contextual_data: dict[str, Any] | None = None
    currency: Currency | None = None
    customer_id: str | None = None
    device_id: Name | None = None
    event_id: Name | None = None
    event_type: Literal[EVENT_TYPES]  # type: ignore[valid-type]
    items: Annotated[list[Item], Meta(min_length=1, max_length=250)] | None = None
    marketing_campaign: Marketing | None = None
    marketing_medium: Marketing | None = None
    marketing_source: Marketing | None = None
    order_id: Name | None = None
    position: Position | None = None
    price: int | float | str | None = None
    product_id: int | str | None = None
    quantity: Quantity | None = None
    query: Query | None = None
    refund_id: Name | None = None
    search_id: Name | None = None
    session_id: Name
    shopping_channel: Literal["web", "app"] | None = None
    timestamp: int | str
    variant_id: int | str | None = None

    def __post_init__(self) -> None:
        """Check what a type cannot say. Raises `FieldError`."""
        try:
            self.timestamp = epoch_ms(self.timestamp)
        except ValueError as error:
            raise FieldError(f"timestamp: {error}") from None
        _settle(self)
        if self.contextual_data is not None:
            self.contextual_data = _context(self.contextual_data)


def _settle(named: Item | WireEvent) -> None:
    """Ids and the price of what names a product, in their one form."""
    if named.product_id is not None:
        named.product_id = _id(named.product_id, "product_id")
    if named.variant_id is not None:
        named.variant_id = _id(named.variant_id, "variant_id")
    if named.price is not None:
        named.price = _price(named.price)
