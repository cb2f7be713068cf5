"""When two events are one (D1-D6)."""

from __future__ import annotations

from typing import Literal

from pipeline.domain.events import ZONE_MISTAKE_MS, Event
from pipeline.domain.identity import FINGERPRINT_DIGITS, key_of, netstring

Kind = Literal["exact", "conflict"]

# Eight bytes of the fingerprint tell a conflict from an exact repeat; the key itself decides
# that it is a repeat at all.
PAYLOAD_BYTES = 8


def event_key(prefix: bytes, event: Event, *, is_prefetch: bool, is_trusted: bool) -> bytes:
    """Rule D1. `prefix` is the record's key, store and device, so no other device is reached.

    A prefetch has keys of its own: it must not swallow the view that it was made for. So has a
    trusted event: a visitor knows the ids that a server will send, and must not get in first (A11).
    """
    if is_prefetch:
        prefix += b"8:prefetch"
    if is_trusted:
        prefix += b"7:trusted"
    if event.event_id is not None:
        # One id on a view, a cart and a purchase is three events.
        kind = netstring(event.event_type)
        return key_of(prefix + b"8:event_id" + kind + netstring(event.event_id))
    if event.event_type == "purchase" and event.order_id is not None:
        return key_of(prefix + b"5:order" + netstring(event.order_id) + _lines(event))
    if event.event_type == "refund" and event.refund_id is not None:
        return key_of(prefix + b"6:refund" + netstring(event.refund_id) + _lines(event))
    return key_of(prefix + b"11:fingerprint" + netstring(event.fingerprint[:FINGERPRINT_DIGITS]))


def _lines(event: Event) -> bytes:
    # Sorted: the same lines in another sequence are the same order.
    lines = sorted((line.product_id, line.variant_id or 0) for line in event.lines())
    return b"".join(netstring(f"{product}/{variant}") for product, variant in lines)


def remembered_until(event: Event) -> int:
    """The time by which the stream forgets an event's key, in ms (D4).

    A later copy of an event that T3 moved is moved less: it must meet the key while it is not late.
    """
    return max(event.occurred_at, min(event.timestamp, event.occurred_at + ZONE_MISTAKE_MS))


def payload_of(event: Event) -> bytes:
    """What a remembered key keeps of its event's content (D2)."""
    return bytes.fromhex(event.fingerprint[: 2 * PAYLOAD_BYTES])


def kind_of(remembered: bytes, event: Event) -> Kind:
    """Rule D2: the same key over another payload is a conflict."""
    return "exact" if remembered == payload_of(event) else "conflict"
