"""Turns events into requests, with the delays, repeats and errors of a network."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from pipeline.traffic import shares
from pipeline.traffic.devices import HOUR_MS, SentEvent, identifier
from pipeline.traffic.orders import RecordedRequest
from pipeline.traffic.visits import Visit

# A page sends its events after 1.5 s or eight events: about three per request on average.
_GATHER_MS = 1_500
_MOST_EVENTS = 8
_LATE_MS = (73 * HOUR_MS, 110 * HOUR_MS)


def deliver(visit: Visit) -> Iterator[RecordedRequest]:
    """The visit's requests, each with its arrival time, but not in that order."""
    rng, device = visit.rng, visit.device
    delay = _delay(rng)
    for last, events in _batches(visit.events):
        arrival = last + delay + rng.randint(40, 900)
        if rng.random() < shares.DELAYED_REQUESTS:
            arrival += rng.randint(5_000, 20 * 60_000)
        headers = device.headers
        if rng.random() < shares.PREFETCHES:
            headers = headers | {"sec-purpose": "prefetch"}
        if rng.random() < shares.INVALID_EVENTS:
            events.insert(rng.randrange(len(events) + 1), _invalid(rng, rng.choice(events)))
        yield RecordedRequest(arrival, device.store.store_id, headers, events)
        for repeat in _repeats(visit, last, events):
            arrival += rng.randint(1_000, 60_000)
            yield RecordedRequest(arrival, device.store.store_id, headers, repeat)


def _batches(events: list[tuple[int, SentEvent]]) -> Iterator[tuple[int, list[SentEvent]]]:
    """For each request the time of its last event, and its events."""
    batch: list[SentEvent] = []
    first = last = 0
    for at, event in events:
        if batch and (at - first > _GATHER_MS or len(batch) == _MOST_EVENTS):
            yield last, batch
            batch = []
        if not batch:
            first = at
        batch.append(event)
        last = at
    if batch:
        yield last, batch


def _delay(rng: Random) -> int:
    drawn = rng.random()
    if drawn < shares.LATE_VISITS:
        return rng.randint(*_LATE_MS)
    if drawn < shares.LATE_VISITS + shares.DELAYED_VISITS:
        return rng.randint(20 * 60_000, 8 * HOUR_MS)
    return 0


def _repeats(visit: Visit, last: int, events: list[SentEvent]) -> Iterator[list[SentEvent]]:
    rng = visit.rng
    if rng.random() < shares.POSTED_AGAIN:
        yield events
    if rng.random() < shares.RESENT_EVENTS:
        yield [rng.choice(events)]
    if rng.random() < shares.CONFLICTS and "event_id" in events[-1]:
        yield [events[-1] | {"timestamp": visit.device.stamp(last + 3_000)}]


def _invalid(rng: Random, event: SentEvent) -> SentEvent:
    """A copy that violates the contract."""
    # With its own id, so that it is rejected as invalid and not dropped as a duplicate.
    invalid = event | {"event_id": identifier(rng)}
    kind = rng.randrange(5)
    if kind == 0:
        return invalid | {"event_type": "page_view"}
    if kind == 1:
        invalid["event_type"] = "product_view"
        invalid.pop("product_id", None)
        return invalid
    if kind == 2:
        return invalid | {"event_type": "product_click", "product_id": 1, "position": 0}
    if kind == 3:
        return invalid | {"event_type": "add_to_cart", "product_id": 1e20}
    del invalid["session_id"]
    return invalid
