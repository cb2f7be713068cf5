"""Answers about what arrived, in plain Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from cookbook.past import Asked, by, count, percent
from reference import Row, ms

Rows = list[tuple[Any, ...]]
TYPES = (
    "search",
    "collection_view",
    "product_impression",
    "product_click",
    "product_view",
    "add_to_cart",
    "purchase",
)


def _of_days(asked: Asked) -> Any:
    taken = [e for e in asked.past.events if asked.takes(e["store_id"], e["day"])]
    for key, of in by(taken, lambda e: (e["store_id"], e["day"])):
        prefetched = count(of, lambda e: e["is_prefetch"])
        bots = count(of, lambda e: e["is_bot"] and not e["is_prefetch"])
        yield key, of, len(of) - bots - prefetched, bots, prefetched


def bots(asked: Asked) -> Rows:
    return [
        (*key, people, bots, prefetched, percent(bots, len(of)))
        for key, of, people, bots, prefetched in _of_days(asked)
    ]


def traffic(asked: Asked) -> Rows:
    done = Counter((e["store_id"], e["day"], e["event_type"]) for e in asked.events())
    return [
        (*key, people, *(done[*key, name] for name in TYPES), bots, prefetched)
        for key, _, people, bots, prefetched in _of_days(asked)
    ]


def late_events(asked: Asked) -> Rows:
    found = []
    for key, of in by(
        _of_arrival(asked, asked.past.events), lambda e: (e["store_id"], e["received_day"])
    ):
        late = count(of, lambda e: e["is_late"])
        waits = [ms(e["received_at"]) - ms(e["occurred_at"]) for e in of]
        within = [sum(wait <= 1000 * most for wait in waits) for most in (60, 3600, 86_400)]
        found.append((*key, len(of), late, *(percent(n, len(of)) for n in (late, *within))))
    return found


def freshness(asked: Asked) -> Rows:
    """Without what the snapshot says of itself."""
    taken = [e for e in asked.past.events if asked.takes(e["store_id"])]
    return [
        (*key, max(e["occurred_at"] for e in of), max(e["received_at"] for e in of))
        for key, of in by(taken, lambda e: (e["store_id"],))
    ]


def quality(asked: Asked) -> Rows:
    kept = Counter[tuple[str, str]]()
    for event in _of_arrival(asked, asked.past.events):
        flags = [name for name in ("is_late", "is_clock_skewed", "is_bot") if event[name]]
        kept.update((event["store_id"], what) for what in ("received", *flags))
    for row in _of_arrival(asked, asked.past.refused["duplicates"]):
        kept.update((row["store_id"], what) for what in {"duplicate", row["kind"]})
    for row in _of_arrival(asked, asked.past.refused["rejected_events"]):
        kept[row["store_id"], "rejected"] += 1
    for row in asked.past.refused["daily_expired"]:
        if asked.takes(row["store_id"], row["day"]):
            kept[row["store_id"], "expired"] += row["expired_events"]
    shown = ("received", "duplicate", "conflict", "rejected", "expired")
    shown += ("is_late", "is_clock_skewed", "is_bot")
    stores = sorted({store for store, _ in kept})
    return [(store, *(kept[store, what] for what in shown)) for store in stores]


def fields(asked: Asked) -> Rows:
    found = Counter[tuple[str, str, str, str]]()
    for event in _of_arrival(asked, asked.past.events):
        for repair in set(event["repairs"] or ()):
            field, reason = repair.split(": ")
            outcome = "repaired" if reason in ("respelled", "rounded") else "ignored"
            found[event["store_id"], field, outcome, reason] += 1
    for row in _of_arrival(asked, asked.past.refused["rejected_events"]):
        field = re.sub(r"\.\d+", "", row["detail"].split(": ")[0])
        found[row["store_id"], field, "refused", row["reason"]] += 1
    rows = [(*key, events) for key, events in found.items()]
    return sorted(rows, key=lambda row: (row[0], -row[4], *row[1:4]))


def _of_arrival(asked: Asked, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if asked.takes(row["store_id"], row["received_day"])]
