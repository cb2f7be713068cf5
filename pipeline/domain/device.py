"""The stream's state of one device, and what it may forget."""

from __future__ import annotations

from collections import Counter

import msgspec

from pipeline.domain.attribution import Conversion, Touch, conversions_of, touch_of
from pipeline.domain.events import BACKFILL_LIMIT_MS, Event
from pipeline.domain.rules import Rules
from pipeline.domain.sessions import Session


class Device(msgspec.Struct, array_like=True):
    """One device's state. `origin` is the offset of the last record that is in it.

    `keys` maps an event key to (kept until, in ms; payload), for D2 and D4. `over_limit_until` is
    the latest event (ms) that found no room here. Events up to `erased_at` (ms) are erased (E2).
    """

    origin: int = -1
    keys: dict[bytes, tuple[int, bytes]] = {}
    sessions: list[Session] = []
    touches: list[Touch] = []
    conversions: list[Conversion] = []
    over_limit_until: int | None = None
    erased_at: int | None = None

    def is_empty(self) -> bool:
        """Whether no rule can need anything of it."""
        return (
            self.over_limit_until is None
            and self.erased_at is None
            and not (self.keys or self.sessions or self.touches or self.conversions)
        )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Device)


def encode(device: Device) -> bytes:
    """The value of a changelog record."""
    return _encoder.encode(device)


def decode(value: bytes) -> Device:
    """The device in a changelog value. Raises msgspec.ValidationError for other bytes."""
    return _decoder.decode(value)


def forget(device: Device, *, horizon: int, rules: Rules) -> None:
    """Drop what no event at or after `horizon` (stream time less lateness, ms) can need (D4)."""
    gap, lookback = rules.gap_ms, rules.lookback_ms
    if any(at < horizon for at, _ in device.keys.values()):
        device.keys = {key: kept for key, kept in device.keys.items() if kept[0] >= horizon}
    device.sessions = [s for s in device.sessions if s.ended_at + gap >= horizon]
    device.touches = [t for t in device.touches if t.touched_at + lookback >= horizon]
    device.conversions = [c for c in device.conversions if c.occurred_at >= horizon]
    if device.over_limit_until is not None and device.over_limit_until < horizon:
        device.over_limit_until = None
    # What is older than T4 lets in comes only by backfill: late, and dropped by the warehouse.
    if device.erased_at is not None and device.erased_at + BACKFILL_LIMIT_MS < horizon:
        device.erased_at = None


def erase(device: Device, *, until: int) -> None:
    """Drop all that is known of the device (E1). Events up to `until` (ms) do not bring it back."""
    device.keys = {}
    device.sessions, device.touches, device.conversions = [], [], []
    device.over_limit_until = None
    device.erased_at = max(until, device.erased_at or until)


def leave_to_warehouse(device: Device, *, until: int) -> None:
    """Drop all that is known of the device (E3): its rows change, and the state is made of sums.

    Until `until` (ms) is behind the horizon it is like one over its limit.
    """
    device.keys = {}
    device.sessions, device.touches, device.conversions = [], [], []
    device.over_limit_until = max(until, device.over_limit_until or until)


def needed_until(device: Device, rules: Rules) -> int | None:
    """The latest horizon (ms) at which `forget` keeps any of it; None when it is empty."""
    return max(
        (
            *(kept_until for kept_until, _ in device.keys.values()),
            *(session.ended_at + rules.gap_ms for session in device.sessions),
            *(touch.touched_at + rules.lookback_ms for touch in device.touches),
            *(conversion.occurred_at for conversion in device.conversions),
            *(() if device.over_limit_until is None else (device.over_limit_until,)),
            *(() if device.erased_at is None else (device.erased_at + BACKFILL_LIMIT_MS,)),
        ),
        default=None,
    )


def is_over_limit(device: Device, event: Event, *, horizon: int, rules: Rules) -> bool:
    """Whether the device's state is over its limit, so that `event` is handled like a late one.

    Otherwise a webhook without a device, or a load test, would make a state of any size. The device
    stays over the limit until the events that found no room are behind the horizon: a repeat of
    one is not in `keys`, and only the warehouse can detect it. Depends on the log alone: what may
    be forgotten is not counted.
    """
    if not _has_room(device, event, rules):
        forget(device, horizon=horizon, rules=rules)
        if not _has_room(device, event, rules):
            until = device.over_limit_until or event.occurred_at
            device.over_limit_until = max(event.occurred_at, until)
            return True
    if device.over_limit_until is None or device.over_limit_until < horizon:
        return False
    device.over_limit_until = max(event.occurred_at, device.over_limit_until)
    return True


def _has_room(device: Device, event: Event, rules: Rules) -> bool:
    return (
        len(device.keys) < rules.most_keys
        and len(device.sessions) < rules.most_rows
        and len(device.touches) < rules.most_rows
        and len(device.conversions) + len(event.items or ()) < rules.most_rows
        and _claims(device, event, most=rules.most_claims) <= rules.most_claims
    )


def _claims(device: Device, event: Event, *, most: int) -> int:
    """An upper bound of (touch, conversion) pairs that match (A4) once `event` is in the state.

    It ignores times and order. It bounds how much one click makes the stream restate, which limits
    on clicks and conversions alone do not: 499 clicks on a product with 499 add_to_carts would
    restate each conversion each time.
    """
    touch = touch_of(event)
    made = conversions_of(event, is_bot=False)
    touches = len(device.touches) + (touch is not None)
    pairs = touches * (len(device.conversions) + len(made))
    if pairs <= most:  # the usual case
        return pairs
    by_token: Counter[str] = Counter()
    by_product: Counter[int | None] = Counter()
    for each in device.touches if touch is None else (*device.touches, touch):
        by_token[each.attribution_token] += 1
        by_product[each.product_id] += 1
    return sum(
        by_product[each.product_id]
        if each.attribution_token is None
        else by_token[each.attribution_token]
        for each in (*device.conversions, *made)
    )
