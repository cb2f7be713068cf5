"""A session as a value (S1-S6), and how two of them become one."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.domain.catalog import EVENT_TYPES
from pipeline.domain.events import Event, Request, visitor_of
from pipeline.domain.identity import key_of, netstring

INDEX = {name: index for index, name in enumerate(EVENT_TYPES)}
# A session of nothing else, sent by a server, is a report of orders and no visit (P2).
REPORTED = frozenset({"purchase", "refund"})

# Rule T5: the place of an event among all.
Order = tuple[int, int, bytes]


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What a session keeps of its first event in T5 order (S6)."""

    order: Order
    event_type: str
    collection: str | None
    query: str | None
    product_id: int | None
    shopping_channel: str
    device_type: str | None
    browser: str | None
    country: str | None


class Campaign(msgspec.Struct, array_like=True, frozen=True):
    """Of the first event that names any of the three (S6)."""

    order: Order
    source: str | None
    medium: str | None
    campaign: str | None


class LandingToken(msgspec.Struct, array_like=True, frozen=True):
    """Of the first event that names a token (S6)."""

    order: Order
    named: str


class LandingProduct(msgspec.Struct, array_like=True, frozen=True):
    """Of the first event that names a product (S6)."""

    order: Order
    named: int


class Session(msgspec.Struct, array_like=True, frozen=True):
    """A run of one session id on one device without a silence over the gap; times in ms.

    `counts` has one place per event type, in the order of `EVENT_TYPES`.
    """

    session_id: str
    started_at: int
    ended_at: int
    counts: tuple[int, ...]
    entry: Entry
    is_bot: bool
    is_report: bool
    campaign: Campaign | None = None
    landing_token: LandingToken | None = None
    landing_product: LandingProduct | None = None


def session_of(event: Event, request: Request) -> Session:
    """The session that `event` is by itself."""
    counts = [0] * len(EVENT_TYPES)
    counts[INDEX[event.event_type]] = 1
    order = event.order()
    visitor = visitor_of(event, request)
    marketing = (event.marketing_source, event.marketing_medium, event.marketing_campaign)
    token, product = event.attribution_token, event.product_id
    return Session(
        event.session_id,
        event.occurred_at,
        event.occurred_at,
        tuple(counts),
        Entry(
            order,
            event.event_type,
            event.collection_handle,
            event.query,
            product,
            event.shopping_channel,
            visitor.device_type,
            visitor.browser,
            request.country,
        ),
        visitor.is_bot,
        request.is_server and event.event_type in REPORTED,
        None if marketing == (None, None, None) else Campaign(order, *marketing),
        None if token is None else LandingToken(order, token),
        None if product is None else LandingProduct(order, product),
    )


def joined(left: Session, right: Session) -> Session:
    """One session of two (S3): associative and commutative, so arrival order cannot matter."""
    return Session(
        left.session_id,
        min(left.started_at, right.started_at),
        max(left.ended_at, right.ended_at),
        tuple(map(int.__add__, left.counts, right.counts)),
        left.entry if left.entry.order <= right.entry.order else right.entry,
        left.is_bot and right.is_bot,
        left.is_report and right.is_report,
        _first(left.campaign, right.campaign),
        _first(left.landing_token, right.landing_token),
        _first(left.landing_product, right.landing_product),
    )


Named = TypeVar("Named", Campaign, LandingToken, LandingProduct)


def _first(left: Named | None, right: Named | None) -> Named | None:
    if left is None or right is None:
        return left or right
    return left if left.order <= right.order else right


def session_key(prefix: bytes, session: Session) -> str:
    """Rule S4; `prefix` is the record's key, store and device."""
    start = netstring(session.session_id) + b"%d" % session.started_at
    return key_of(prefix + start).hex()
