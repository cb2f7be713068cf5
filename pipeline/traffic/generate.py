"""The generator: starts visits in order, and returns their requests in order of arrival."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import cos, pi
from random import Random
from typing import Any

import msgspec

from pipeline.traffic import shares
from pipeline.traffic.delivery import deliver
from pipeline.traffic.devices import HOUR_MS, random_device
from pipeline.traffic.orders import RecordedRequest, check_out
from pipeline.traffic.stores import PROFILES, random_store
from pipeline.traffic.visits import DAY_MS, Visit, crawl, shop_around

STORES = ("atelier", "kiosk", "northwind", "souk")
# Longer than the lateness of 72 hours: in a shorter span no visit can arrive late.
WEEK = timedelta(days=7)


def requests(
    seed: int,
    *,
    devices: int,
    end: datetime,
    span: timedelta = WEEK,
    stores: Sequence[str] = STORES,
) -> Iterator[dict[str, Any]]:
    """Recorded requests, `{"store", "received_at", "headers", "events"}`, by `received_at`.

    `devices` are spread evenly over `stores`, whose position decides their profile. Nothing arrives
    after `end`, which must have a time zone. A device sends about 60 events in 18 requests.
    """
    rng = Random(seed)  # noqa: S311 - repeatable, and not for secrets
    last = round(end.timestamp() * 1000)
    sample_stores = [
        # Each seed has its own orders: one order counts once, however often it is reported (A9).
        random_store(
            rng, store, PROFILES[number % len(PROFILES)], number=number, orders=1000 * seed
        )
        for number, store in enumerate(stores)
    ]
    shoppers = [
        random_device(rng, sample_stores[number % len(sample_stores)]) for number in range(devices)
    ]
    plan = sorted(
        (start, number)
        for number in range(devices)
        for start in _starts(rng, last - round(span.total_seconds() * 1000), last)
    )
    # Requests not yet returned. None arrives before its visit starts, so those that arrive before
    # the next start can be returned: memory holds the delayed requests, not the week.
    pending: list[tuple[int, int, RecordedRequest]] = []
    sent = 0
    for start, number in plan:
        while pending and pending[0][0] < start:
            yield heapq.heappop(pending)[2].line()
        visit = Visit(rng, shoppers[number], start=start)
        for request in _requests_of(visit):
            if request.received_at <= last:
                heapq.heappush(pending, (request.received_at, sent, request))
                sent += 1
    while pending:
        yield heapq.heappop(pending)[2].line()


def lines(
    seed: int,
    *,
    devices: int,
    end: datetime,
    span: timedelta = WEEK,
    stores: Sequence[str] = STORES,
) -> Iterator[bytes]:
    """`requests` as NDJSON: each line ends with its newline."""
    encode = msgspec.json.Encoder().encode
    for request in requests(seed, devices=devices, end=end, span=span, stores=stores):
        yield encode(request) + b"\n"


def _requests_of(visit: Visit) -> Iterator[RecordedRequest]:
    if visit.device.is_bot:
        crawl(visit)
    else:
        shop_around(visit)
        if visit.device.cart and visit.chance(shares.CHECKS_OUT):
            yield from check_out(visit)
    yield from deliver(visit)


def _starts(rng: Random, first: int, last: int) -> Iterator[int]:
    """The starts of a device's visits: hours to days apart, more of them by day than by night."""
    drawn = rng.randrange(first, last)
    while True:
        start = drawn
        if rng.random() < shares.BEFORE_MIDNIGHT:
            start = (drawn // DAY_MS + 1) * DAY_MS - rng.randint(5_000, 120_000)
        elif rng.random() > _busy(drawn):
            start = drawn // DAY_MS * DAY_MS + rng.randint(9 * HOUR_MS, 22 * HOUR_MS)
        yield start if first <= start < last else drawn
        if rng.random() < 1 / shares.VISITS:
            return
        drawn += rng.choice((HOUR_MS, DAY_MS, 2 * DAY_MS)) + rng.randrange(HOUR_MS)
        # Starts after the end wrap around, so that the first day is as full as the others.
        drawn = first + (drawn - first) % (last - first)


def _busy(start: int) -> float:
    """The share of visits kept at that hour; the peak is at 16:00 UTC."""
    return 0.6 - 0.4 * cos(2 * pi * (start % DAY_MS / DAY_MS - 4 / 24))
