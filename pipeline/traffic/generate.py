"""The generator: visits in the order of their start, requests in the order of their arrival."""

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
from pipeline.traffic.devices import HOUR_MS, meet
from pipeline.traffic.orders import Parcel, check_out
from pipeline.traffic.shops import PROFILES, open_shop
from pipeline.traffic.visits import DAY_MS, Visit, crawl, shop_around

STORES = ("atelier", "kiosk", "northwind", "souk")
# Over the 72 hours of lateness: in a shorter span no visit can arrive late.
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

    `devices` are spread evenly over `stores`; a store's kind goes by its place among them. Nothing
    arrives after `end`, which must name its zone. A device sends about 60 events in 18 requests.
    """
    rng = Random(seed)  # noqa: S311 - it must be repeatable, and keeps no secret
    last = round(end.timestamp() * 1000)
    shops = [
        # Each seed has its own orders: one order counts once, however often it is reported (A9).
        open_shop(rng, store, PROFILES[number % len(PROFILES)], number=number, orders=1000 * seed)
        for number, store in enumerate(stores)
    ]
    people = [meet(rng, shops[number % len(shops)]) for number in range(devices)]
    plan = sorted(
        (start, number)
        for number in range(devices)
        for start in _starts(rng, last - round(span.total_seconds() * 1000), last)
    )
    # What is on its way. Nothing that a visit sends arrives before the visit starts, so all that
    # arrives before the next start can go: memory holds the delayed, not the week.
    on_its_way: list[tuple[int, int, Parcel]] = []
    sent = 0
    for start, number in plan:
        while on_its_way and on_its_way[0][0] < start:
            yield heapq.heappop(on_its_way)[2].body()
        visit = Visit(rng, people[number], start=start)
        for parcel in _go(visit):
            if parcel.received_at <= last:
                heapq.heappush(on_its_way, (parcel.received_at, sent, parcel))
                sent += 1
    while on_its_way:
        yield heapq.heappop(on_its_way)[2].body()


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


def _go(visit: Visit) -> Iterator[Parcel]:
    if visit.device.is_bot:
        crawl(visit)
    else:
        shop_around(visit)
        if visit.device.cart and visit.chance(shares.CHECKS_OUT):
            yield from check_out(visit)
    yield from deliver(visit)


def _starts(rng: Random, first: int, last: int) -> Iterator[int]:
    """The starts of a device's visits: hours to days apart, more by day than by night."""
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
        # What would come after the end comes at the beginning, so that the first day is as full
        # as the others.
        drawn = first + (drawn - first) % (last - first)


def _busy(start: int) -> float:
    """The share of shoppers who would come at that hour: most at 16:00 UTC."""
    return 0.6 - 0.4 * cos(2 * pi * (start % DAY_MS / DAY_MS - 4 / 24))
