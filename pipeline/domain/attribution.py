"""Touches, conversions, and which touches a conversion owes itself to (A1-A6)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from pipeline.domain.events import Event, Line
from pipeline.domain.identity import key_of

Match = Literal["direct", "carried", "orphan", "none"]
ConversionType = Literal["add_to_cart", "purchase"]


class Touch(msgspec.Struct, array_like=True, frozen=True):
    """A click with a token (A1). Two clicks of one millisecond stand in order of their keys."""

    touched_at: int
    event_key: bytes
    attribution_token: str
    product_id: int | None


class Conversion(msgspec.Struct, array_like=True, frozen=True):
    """An add_to_cart, or one line of a purchase (A2).

    Its match and path follow from the device's touches, and are not kept: paths of many lines
    over many clicks would make a state of any size.
    """

    event_key: bytes
    line: int
    conversion_type: ConversionType
    occurred_at: int
    session_id: str
    product_id: int
    variant_id: int | None
    quantity: int
    revenue: str | None
    currency: str | None
    attribution_token: str | None
    is_bot: bool


class Attribution(msgspec.Struct, frozen=True):
    """What a conversion owes itself to (A4, A5); the path in T5 order."""

    match: Match
    path: tuple[Touch, ...]


def touch_of(event: Event) -> Touch | None:
    """Rule A1."""
    if event.event_type != "product_click" or event.attribution_token is None:
        return None
    return Touch(event.occurred_at, event.key(), event.attribution_token, event.product_id)


def conversions_of(event: Event, *, is_bot: bool) -> list[Conversion]:
    """Rule A2. A cart is not revenue: only purchase lines carry money."""
    if event.event_type == "add_to_cart" and event.product_id is not None:
        kind: ConversionType = "add_to_cart"
        lines = [Line(event.product_id, event.variant_id, event.quantity)]
    elif event.event_type == "purchase":
        kind = "purchase"
        lines = event.lines()
    else:
        return []
    return [
        Conversion(
            event.key(),
            number,
            kind,
            event.occurred_at,
            event.session_id,
            line.product_id,
            line.variant_id,
            line.quantity,
            revenue_of(line),
            event.currency if line.price is not None else None,
            line.attribution_token or event.attribution_token,
            is_bot,
        )
        for number, line in enumerate(lines)
    ]


def revenue_of(line: Line) -> str | None:
    """Rule A10: exact, four places; None where there is no price."""
    return None if line.price is None else f"{Decimal(line.price) * line.quantity:.4f}"


def attribution_of(
    conversion: Conversion, touches: Iterable[Touch], *, lookback_ms: int, most_touches: int
) -> Attribution:
    """The match and path of `conversion` among `touches`, of its device, in any order.

    The lookback is closed at both ends (A3). A click ranks before any conversion of its
    millisecond (T5), so the comparison of times is enough. A path ends with the conversion, so
    of a longer one the latest `most_touches` stay (A5).
    """
    token, product = conversion.attribution_token, conversion.product_id
    until = conversion.occurred_at
    since = until - lookback_ms
    if token is None:
        found = [t for t in touches if t.product_id == product and since <= t.touched_at <= until]
        match: Match = "carried" if found else "none"
    else:
        found = [
            t for t in touches if t.attribution_token == token and since <= t.touched_at <= until
        ]
        found = [t for t in found if t.product_id == product] or found
        match = "direct" if found else "orphan"
    return Attribution(match, _path(found)[-most_touches:])


def _path(touches: list[Touch]) -> tuple[Touch, ...]:
    # Rule A5: in T5 order a later click of the same token and product takes the earlier's place.
    touches.sort(key=lambda touch: (touch.touched_at, touch.event_key))
    last = {(touch.attribution_token, touch.product_id): touch for touch in touches}
    return tuple(sorted(last.values(), key=lambda touch: (touch.touched_at, touch.event_key)))


def conversion_key(conversion: Conversion) -> str:
    """Rule D4: the event, its time and the line, so a reused event id stays apart."""
    text = f"{conversion.event_key.hex()}/{conversion.occurred_at}/{conversion.line}"
    return key_of(text.encode()).hex()
