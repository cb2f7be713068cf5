"""A session as a value (S1-S6), and how two of them become one."""

from __future__ import annotations

import msgspec

from pipeline.domain.catalog import EVENT_TYPES
from pipeline.domain.events import Event
from pipeline.domain.identity import key_of, netstring

INDEX = {name: index for index, name in enumerate(EVENT_TYPES)}


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What a session keeps of its first event in T5 order (S6)."""

    order: tuple[int, int, str]
    event_type: str
    collection: str | None
    query: str | None
    product_id: int | None
    marketing_source: str | None
    marketing_medium: str | None
    marketing_campaign: str | None
    shopping_channel: str


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


def session_of(event: Event, *, is_bot: bool) -> Session:
    """The session that `event` is by itself."""
    counts = [0] * len(EVENT_TYPES)
    counts[INDEX[event.event_type]] = 1
    return Session(
        event.session_id,
        event.occurred_at,
        event.occurred_at,
        tuple(counts),
        Entry(
            event.order(),
            event.event_type,
            event.collection_handle,
            event.query,
            event.product_id,
            event.marketing_source,
            event.marketing_medium,
            event.marketing_campaign,
            event.shopping_channel,
        ),
        is_bot,
    )


def joined(left: Session, right: Session) -> Session:
    """One session of two (S3): associative and commutative, so arrival order cannot matter."""
    return Session(
        left.session_id,
        min(left.started_at, right.started_at),
        max(left.ended_at, right.ended_at),
        tuple(map(int.__add__, left.counts, right.counts)),
        left.entry if left.entry.order <= right.entry.order else right.entry,
        left.is_bot or right.is_bot,
    )


def session_key(prefix: bytes, session: Session) -> str:
    """Rule S4; `prefix` is the record's key, store and device."""
    start = netstring(session.session_id) + b"%d" % session.started_at
    return key_of(prefix + start).hex()
