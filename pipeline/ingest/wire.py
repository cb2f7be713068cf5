"""The quick way to read an event: what is written as docs/contract.md asks for it.

Most events are; all others go through `pipeline.domain.reading`, which gives the same for these.

The fields stand in alphabetical order, so that a struct's JSON without its absent fields is the
canonical JSON that the fingerprint is taken of (D1). msgspec and not pydantic: decision 0016.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipeline.domain.catalog import EVENT_TYPES, SHAPE
from pipeline.domain.timestamps import common_time
from pipeline.domain.values import (
    MAX_ID,
    MAX_QUANTITY,
    BadValueError,
    context_of,
    is_sentinel,
    is_too_much,
    plain_id,
    plain_price,
)

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]
Handle = Annotated[str, Meta(min_length=1, max_length=255)]
Query = Annotated[str, Meta(max_length=1024)]
Marketing = Annotated[str, Meta(min_length=1, max_length=256)]
Agent = Annotated[str, Meta(min_length=1, max_length=512)]
Customer = Annotated[str, Meta(min_length=1)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Position = Annotated[int, Meta(ge=1, le=MAX_ID)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]


class Item(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A line of a purchase or refund. Once read, ids are integers and the price exact text."""

    attribution_token: Token | None = None
    price: int | float | str | None = None
    product_id: int | str
    quantity: Quantity | None = None
    variant_id: int | str | None = None


class WireEvent(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An event as a store sends it.

    Once read, ids are integers, times epoch ms, prices exact text.
    """

    attribution_token: Token | None = None
    block_id: Name | None = None
    collection_handle: Handle | None = None
    contextual_data: dict[str, Any] | None = None
    currency: Currency | None = None
    customer_id: Customer | None = None
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
    user_agent: Agent | None = None
    variant_id: int | str | None = None


_decode = msgspec.json.Decoder(WireEvent).decode
_NEEDED = SHAPE.required
# No sentinel begins with one of these.
_TELLING = frozenset("123456789abcdefghijklmopqrstvwxyzABCDEFGHIJKLMOPQRSTVWXYZ-_")
# Thirteen digits, of which T9 makes milliseconds of the years 2001 to 2286.
_LEAST_MS, _MOST_MS = 10**12, 10**13


def plain_event(text: str) -> WireEvent | None:
    """The event in `text` as `reading.read` reads it, where nothing in it is out of the ordinary.

    None where it needs reading: an unknown name, another spelling, or something to refuse. Raises
    RecursionError.
    """
    try:
        event = _decode(text)
        _require(event)
        _settle(event)
        _settle_line(event, event.currency)
        if event.items is not None:
            for line in event.items:
                _settle_line(line, event.currency)
    except (msgspec.DecodeError, BadValueError):
        return None
    return event


def _unusual() -> BadValueError:
    return BadValueError("unreadable", "not as most events are")


def _require(event: WireEvent) -> None:
    for names in _NEEDED[event.event_type]:
        for name in names:
            if getattr(event, name) is not None:
                break
        else:
            raise _unusual()


# Values are compared before a function is called: every event pays for what is done here.
def _settle(event: WireEvent) -> None:
    """Give times and contexts their one form. Raises `BadValueError`."""
    when = event.timestamp
    if isinstance(when, str):
        event.timestamp = common_time(when)
    elif not _LEAST_MS <= when < _MOST_MS:
        raise _unusual()
    for text in (
        *(event.session_id, event.device_id, event.event_id),
        *(event.order_id, event.refund_id, event.customer_id),
    ):
        if text is not None and text[0] not in _TELLING and is_sentinel(text, is_zero_one=True):
            raise _unusual()
    if event.contextual_data is not None:
        event.contextual_data = context_of(event.contextual_data)[0]


def _settle_line(line: Item | WireEvent, currency: str | None) -> None:
    """Give ids and the price their one form. Raises `BadValueError`."""
    text = line.attribution_token
    if text is not None and text[0] not in _TELLING and is_sentinel(text, is_zero_one=True):
        raise _unusual()
    if line.product_id is not None:
        line.product_id = plain_id(line.product_id)
    if line.variant_id is not None:
        line.variant_id = plain_id(line.variant_id)
    if line.price is not None:
        price = line.price if isinstance(line.price, str) else repr(line.price)
        line.price = plain_price(price)
        if currency is None or is_too_much(line.price, line.quantity or 1):
            raise _unusual()
