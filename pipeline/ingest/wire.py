"""The shape of an event on the wire (docs/contract.md), field by field.

The fields stand in alphabetical order, so that a model's JSON without its absent fields is the
canonical JSON that the fingerprint is taken of (D1).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints

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


def epoch_ms(value: Any) -> int:
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


def _whole(value: Any, limit: int) -> int:
    # `type`, not isinstance: true is no number here.
    if type(value) is int:
        number = value
    elif isinstance(value, str) and _DIGITS.fullmatch(value):
        number = int(value)
    else:
        raise ValueError("not a whole number")
    if not 1 <= number <= limit:
        raise ValueError(f"not between 1 and {limit}")
    return number


def _id(value: Any) -> int:
    return _whole(value, MAX_ID)


def _position(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("not an integer")
    return _whole(value, MAX_ID)


def _quantity(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("not an integer")
    return _whole(value, MAX_QUANTITY)


def _price(value: Any) -> str:
    """Exact text: up to 10^10 with four decimals has 15 digits, which a float still holds."""
    text = value if isinstance(value, str) else _number_text(value)
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a decimal of 0 to 10^10 with at most 4 places")
    price = Decimal(text)
    if price > MAX_PRICE:
        raise ValueError("over 10^10")
    return f"{price.normalize():f}"


def _number_text(value: Any) -> str:
    if type(value) not in (int, float):
        raise ValueError("neither a number nor text")
    return format(Decimal(repr(value)), "f")


def _context(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # pydantic wants a ValueError
    ordered = _sorted(value, depth=1)
    if len(msgspec.json.encode(ordered)) > MAX_CONTEXT_BYTES:
        raise ValueError("over 8 KiB")
    return ordered


def _sorted(value: Any, *, depth: int) -> Any:
    if depth > MAX_CONTEXT_DEPTH and isinstance(value, (dict, list)):
        raise ValueError(f"deeper than {MAX_CONTEXT_DEPTH} levels")
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth=depth + 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth=depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        # 1e400 would become null, and so the same event as one with null.
        raise ValueError("a number beyond any float")
    return value


Id = Annotated[int, PlainValidator(_id)]
Price = Annotated[str, PlainValidator(_price)]
Quantity = Annotated[int, PlainValidator(_quantity)]
Text = Annotated[str, StringConstraints(strict=True)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Token = Annotated[Text, StringConstraints(min_length=1, max_length=512)]
Handle = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
Query = Annotated[Text, StringConstraints(max_length=1024)]
Marketing = Annotated[Text, StringConstraints(max_length=256)]
Currency = Annotated[Text, StringConstraints(pattern=r"^[A-Z]{3}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Item(_Model):
    """A line of a purchase or refund."""

    attribution_token: Token | None = None
    price: Price | None = None
    product_id: Id
    quantity: Quantity | None = None
    variant_id: Id | None = None


class WireEvent(_Model):
    """An event as a shop sends it; what its type requires is checked in `accept`."""

    attribution_token: Token | None = None
    block_id: Name | None = None
    collection_handle: Handle | None = None
    contextual_data: Annotated[Any, PlainValidator(_context)] | None = None
    currency: Currency | None = None
    customer_id: Text | None = None
    device_id: Name | None = None
    event_id: Name | None = None
    event_type: Literal[EVENT_TYPES]  # type: ignore[valid-type]
    # One bad line is reason enough: to tell all those of a mebibyte takes a third of a second.
    items: Annotated[list[Item], Field(min_length=1, max_length=250, fail_fast=True)] | None = None
    marketing_campaign: Marketing | None = None
    marketing_medium: Marketing | None = None
    marketing_source: Marketing | None = None
    order_id: Name | None = None
    position: Annotated[int, PlainValidator(_position)] | None = None
    price: Price | None = None
    product_id: Id | None = None
    quantity: Quantity | None = None
    query: Query | None = None
    refund_id: Name | None = None
    search_id: Name | None = None
    session_id: Name
    shopping_channel: Literal["web", "app"] | None = None
    timestamp: Annotated[int, PlainValidator(epoch_ms)]
    variant_id: Id | None = None
