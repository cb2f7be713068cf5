"""What a store sent: `Event`, the `Beacon` that carried it, and its place in time (T1-T8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from pipeline.domain.catalog import RANK
from pipeline.domain.timestamps import MILLISECOND

CLOCK_TOLERANCE_MS = timedelta(minutes=5) // MILLISECOND
# The zones of the world span 26 hours: no mistake of a zone moves a clock further.
ZONE_MISTAKE_MS = timedelta(hours=26) // MILLISECOND
BACKFILL_LIMIT_MS = timedelta(days=30) // MILLISECOND


class Line(msgspec.Struct, omit_defaults=True, frozen=True):
    """One line of a purchase or refund; `price` per unit, a decimal in text."""

    product_id: int
    variant_id: int | None = None
    quantity: int = 1
    price: str | None = None
    attribution_token: str | None = None


class Visitor(msgspec.Struct, omit_defaults=True, frozen=True):
    """What the `user_agent` of an event says of the visitor, where a server passes it on (P1)."""

    device_type: str | None = None
    browser: str | None = None
    os: str | None = None
    is_bot: bool = False


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A valid event. The last three fields are the worker's: absent in `beacons`, set in facts.

    `timestamp` and `occurred_at` are epoch milliseconds, `fingerprint` (D1) and `event_key` 32
    hexadecimal digits, `search_term` the query as Q1 writes it. `extra` is a JSON object of what
    no other field holds. `repairs` names what was read or dropped on arrival, each as "field: how".
    """

    event_type: str
    timestamp: int
    session_id: str
    fingerprint: str
    shopping_channel: str = "web"
    event_id: str | None = None
    device_id: str | None = None
    customer_id: str | None = None
    attribution_token: str | None = None
    product_id: int | None = None
    variant_id: int | None = None
    collection_handle: str | None = None
    query: str | None = None
    position: int | None = None
    block_id: str | None = None
    search_id: str | None = None
    order_id: str | None = None
    refund_id: str | None = None
    marketing_source: str | None = None
    marketing_medium: str | None = None
    marketing_campaign: str | None = None
    currency: str | None = None
    items: list[Line] | None = None
    quantity: int = 1
    price: str | None = None
    search_term: str | None = None
    visitor: Visitor | None = None
    contextual_data: msgspec.Raw = msgspec.Raw()
    extra: msgspec.Raw = msgspec.Raw()
    repairs: tuple[str, ...] = ()

    occurred_at: int = 0
    event_key: str = ""
    is_clock_skewed: bool = False

    def key(self) -> bytes:
        """The 16 bytes of `event_key`: what a state keeps of it."""
        return bytes.fromhex(self.event_key)

    def order(self) -> tuple[int, int, bytes]:
        """Rule T5, the total order of events."""
        return (self.occurred_at, RANK[self.event_type], self.key())

    def lines(self) -> list[Line]:
        """The lines of a purchase or refund: its items, or the event's own product as one."""
        if self.items is not None:
            return self.items
        if self.product_id is None:
            return []
        return [Line(self.product_id, self.variant_id, self.quantity, self.price)]


class Request(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What the headers of a request say (P1); never an IP address."""

    device_type: str | None = None
    browser: str | None = None
    os: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    is_bot: bool = False
    is_server: bool = False
    is_prefetch: bool = False


def visitor_of(event: Event, request: Request) -> Visitor | Request:
    """Whose device, browser and crawler the event is of: the visitor's own where one is named."""
    return event.visitor or request


class Beacon(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A record of `beacons`: one device's events of one request.

    `received_at` is epoch milliseconds (T2), `timezone` the store's (T10); `is_trusted`: the token
    has the right `orders`, `needs_confirmation`: another token of the store has it (A11).
    Each event stays the JSON it is, so the worker can hand it on as a fact without encoding it.
    `raw` has each event's bytes as the store sent them, in the order of `events`, and stays here.
    A record that erases its device (E1), or of it the events of a customer (E3), has no events.
    """

    store_id: str
    device_key: str
    received_at: int
    request: Request
    events: list[msgspec.Raw]
    raw: list[msgspec.Raw] = []
    timezone: str = "UTC"
    is_trusted: bool = False
    needs_confirmation: bool = False
    is_erasure: bool = False
    erased_customer: str | None = None

    def sent(self) -> list[msgspec.Raw]:
        """Of each event what the store sent; in a record of an earlier ingest, the event itself."""
        return self.raw if len(self.raw) == len(self.events) else self.events


def bounded(received_at: int, *, appended_at: int) -> int:
    """Rule T8: ingest's clock may not run ahead of Kafka's by more than five minutes."""
    return min(received_at, appended_at + CLOCK_TOLERANCE_MS)


def erased_until(appended_at: int) -> int:
    """Rule E1: no event before the record can be later, whatever the clocks (T3, T8)."""
    return appended_at + 2 * CLOCK_TOLERANCE_MS


def is_too_old(timestamp: int, *, received_at: int) -> bool:
    """Rule T4: thirty days are accepted, a millisecond more is not."""
    return timestamp < received_at - BACKFILL_LIMIT_MS


def place_in_time(events: Sequence[Event], *, received_at: int) -> None:
    """Rules T1 and T3: set `occurred_at` of a record's events, which one device sent at once.

    A clock that is ahead by a mistake of its zone takes all of them back together, so their order
    and distances stay. Further ahead, only the events concerned are moved to `received_at`.
    """
    ahead = max((event.timestamp for event in events), default=received_at) - received_at
    for event in events:
        event.occurred_at = event.timestamp
        if ahead <= CLOCK_TOLERANCE_MS:
            continue
        if ahead <= ZONE_MISTAKE_MS:
            event.occurred_at = event.timestamp - ahead
            event.is_clock_skewed = True
        elif event.timestamp > received_at + CLOCK_TOLERANCE_MS:
            event.occurred_at = received_at
            event.is_clock_skewed = True
