"""Answers about visits and searches, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import reference
from cookbook.past import Asked, Visit, by, count, in_order, percent, places, quantile
from reference import ms

Rows = list[tuple[Any, ...]]


def _steps(visits: list[Visit]) -> list[int]:
    types = ("product_impression", "product_click", "product_view", "add_to_cart")
    return [count(visits, lambda visit, name=name: visit.has(name)) for name in types]


def _bought(visits: list[Visit]) -> int:
    return count(visits, lambda visit: visit.has_converted)


def channels(asked: Asked) -> Rows:
    return [
        (*key, len(of), *_steps(of), _bought(of), percent(_bought(of), len(of)))
        for key, of in by(asked.visits(), lambda v: (v.store_id, v.day, v.shopping_channel))
    ]


def funnel(asked: Asked) -> Rows:
    found = []
    seen = [v for v in asked.past.sessions if not v.is_bot and asked.takes(v.store_id, v.day)]
    for key, all_of_it in by(seen, lambda v: (v.store_id,)):
        of = [visit for visit in all_of_it if not visit.is_report]
        saw, clicked, _, added = _steps(of)
        found.append(
            (*key, len(of), saw, clicked, added, _bought(of), percent(_bought(of), len(of)))
        )
    return found


def campaigns(asked: Asked) -> Rows:
    parts: Any = [
        ((v.store_id, *v.campaign, None), 1, int(v.has_converted), None) for v in asked.visits()
    ]
    for visit in asked.past.sessions:
        if not visit.is_bot and asked.takes(visit.store_id, visit.day):
            parts += [
                ((visit.store_id, *visit.campaign, line["currency"]), 0, 0, line["revenue"])
                for line in visit.lines
                if line["revenue"] is not None
            ]
    return [
        (
            *key,
            sum(part[1] for part in of),
            sum(part[2] for part in of),
            None if key[-1] is None else sum(part[3] for part in of),
        )
        for key, of in by(parts, lambda part: part[0])
    ]


def session_length(asked: Asked) -> Rows:
    return [
        (
            *key,
            len(of),
            percent(count(of, lambda v: len(v.events) == 1), len(of)),
            places(quantile((v.length_ms for v in of), 0.5) / 1000, 1),
            places(quantile((v.length_ms for v in of), 0.9) / 1000, 1),
            quantile((len(v.events) for v in of), 0.5),
        )
        for key, of in by(asked.visits(), lambda v: (v.store_id,))
    ]


def cart_abandonment(asked: Asked) -> Rows:
    buying: dict[Any, list[Visit]] = defaultdict(list)
    for visit in asked.past.visits:
        if visit.has_converted:
            buying[visit.store_id, visit.device_key].append(visit)

    def is_back(visit: Visit) -> bool:
        later = buying[visit.store_id, visit.device_key]
        waited = (one.started_at - visit.started_at for one in later)
        return any(timedelta(0) < wait <= timedelta(days=7) for wait in waited)

    found = []
    for key, of in by(asked.visits(), lambda v: (v.store_id,)):
        added = [visit for visit in of if visit.has("add_to_cart")]
        left = [visit for visit in added if not visit.has_converted]
        without = _bought(of) - _bought(added)
        share = percent(len(left), len(added))
        found.append(
            (*key, len(added), _bought(of), without, len(left), count(left, is_back), share)
        )
    return found


def new_and_returning(asked: Asked) -> Rows:
    first = asked.past.first_visits
    found = []
    for key, of in by(asked.visits(), lambda v: (v.store_id, v.day)):
        new = [visit for visit in of if first[visit.store_id, visit.device_key] is visit]
        found.append(
            (*key, len(of), len(new), len(of) - len(new), _bought(new), _bought(of) - _bought(new))
        )
    return found


def retention(asked: Asked) -> Rows:
    def monday(day: Any) -> Any:
        return day - timedelta(days=day.weekday())

    weeks: dict[Any, set[str]] = defaultdict(set)
    for visit in asked.past.visits:
        first = asked.past.first_visits[visit.store_id, visit.device_key].day
        if asked.takes(visit.store_id, first):
            later = (monday(visit.day) - monday(first)).days // 7
            weeks[visit.store_id, monday(first), later].add(visit.device_key)
    return [
        (*key, len(devices), percent(len(devices), len(weeks[*key[:2], 0])))
        for key, devices in sorted(weeks.items())
    ]


def devices(asked: Asked) -> Rows:
    found = [
        (*key, len(of), _bought(of), percent(_bought(of), len(of)))
        for key, of in by(asked.visits(), lambda v: (v.store_id, v.device_type, v.country))
    ]
    return sorted(found, key=lambda row: (row[0], -row[3]))


def entries(asked: Asked) -> Rows:
    found = [
        (
            *key,
            len(of),
            count(of, lambda v: len(v.events) == 1),
            _bought(of),
            percent(_bought(of), len(of)),
        )
        for key, of in by(asked.visits(), lambda v: (v.store_id, v.event_type))
    ]
    return sorted(found, key=lambda row: (row[0], -row[2]))


def _searched(asked: Asked) -> list[tuple[Any, list[set[str]]]]:
    """What followed each search (Q2), by store and term."""
    found: list[tuple[Any, set[str]]] = []
    for visit in asked.past.sessions:
        if visit.is_bot:
            continue
        done = [(in_order(e), 0, e["event_type"], e) for e in visit.events if not e["is_bot"]]
        done = [one for one in done if one[2] in ("search", "product_click", "add_to_cart")]
        done += [(in_order(line), line["line"], "bought", line) for line in visit.lines]
        followed: set[str] = set()
        for _, _, what, row in sorted(done, key=lambda one: one[:2]):
            if what == "search":
                followed = set()
                if asked.takes(row["store_id"], row["day"]):
                    found.append(((row["store_id"], row["search_term"]), followed))
            followed.add(what)
    return [(key, [one[1] for one in of]) for key, of in by(found, lambda one: one[0])]


def searches(asked: Asked) -> Rows:
    rows = []
    for key, of in _searched(asked):
        clicked, carted, bought = (
            count(of, lambda done, what=what: what in done)
            for what in ("product_click", "add_to_cart", "bought")
        )
        rows.append((*key, len(of), clicked, carted, bought, percent(bought, len(of))))
    return _first_20(sorted(rows, key=lambda row: (row[0], -row[5], -row[4], -row[2])))


def searches_without_clicks(asked: Asked) -> Rows:
    rows = []
    for key, of in _searched(asked):
        without = count(of, lambda done: "product_click" not in done)
        if without:
            rows.append((*key, len(of), without, percent(without, len(of))))
    return _first_20(sorted(rows, key=lambda row: (row[0], -row[3], row[2])))


def _first_20(rows: Rows) -> Rows:
    return [row for _, of in by(rows, lambda row: (row[0],)) for row in of[:20]]


def hours(asked: Asked) -> Rows:
    types = ("search", "product_click", "add_to_cart", "purchase")
    return [
        (
            *key,
            len(of),
            *(count(of, lambda e, name=name: e["event_type"] == name) for name in types),
        )
        for key, of in by(asked.events(), lambda e: (e["store_id"], e["hour"]))
    ]


def time_to_purchase(asked: Asked) -> Rows:
    started: dict[Any, int] = {}
    for visit in asked.past.sessions:
        started.setdefault((visit.store_id, visit.device_key), ms(visit.started_at))
    ordered: dict[Any, Any] = {}
    for order in sorted(asked.past.orders, key=lambda order: order[0]["occurred_at"]):
        if not order[0]["is_server"]:
            ordered.setdefault((order[0]["store_id"], order[0]["device_key"]), order[0])
    waited = [
        (store, reference.ms(line["occurred_at"]) - started[store, device])
        for (store, device), line in ordered.items()
        if asked.takes(store, line["day"])
    ]
    hour = 60 * 60_000
    return [
        (
            *key,
            len(of),
            *(
                percent(count(of, lambda one, most=most: one[1] <= most), len(of))
                for most in (hour, 24 * hour, 7 * 24 * hour)
            ),
            places(quantile((one[1] for one in of), 0.5) / 60_000, 1),
        )
        for key, of in by(waited, lambda one: (one[0],))
    ]
