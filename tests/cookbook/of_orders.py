"""Answers about orders, products and tokens, in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import combinations
from math import sqrt
from typing import Any

import reference
from cookbook.past import Asked, by, count, credited, percent, places, quantile
from reference import MODELS, Row

Rows = list[tuple[Any, ...]]
SHOWS = ("block_view", "product_impression", "collection_view", "search")


def _first_20(rows: Rows, of: int) -> Rows:
    """The first 20 for each of what the first `of` columns hold."""
    return [row for _, some in by(rows, lambda row: row[:of]) for row in some[:20]]


def orders(asked: Asked) -> Rows:
    taken = _taken(asked)
    sums: dict[Any, list[tuple[Decimal | None, Decimal]]] = defaultdict(list)
    for order in asked.orders():
        ordered = sorted(order, key=lambda one: (one["occurred_at"], one["event_key"], one["line"]))
        currency = next((one["currency"] for one in ordered if one["currency"]), None)
        paid = [one["revenue"] for one in order if one["currency"] == currency]
        gross = None if currency is None else sum(paid, Decimal(0))
        back = taken[order[0]["store_id"], order[0]["order_id"], currency]
        sums[order[0]["store_id"], currency].append((gross, back))
    found = []
    for key, of in sorted(sums.items(), key=lambda one: (one[0][0], one[0][1] is None, one[0][1])):
        if key[1] is None:
            found.append((*key, len(of), None, None, None, None, None))
            continue
        gross, back = sum(one[0] or 0 for one in of), sum(one[1] for one in of)
        mean, median = places(gross / len(of), 4), quantile((one[0] for one in of), 0.5)
        found.append((*key, len(of), gross, back, gross - back, mean, median))
    return found


def _taken(asked: Asked) -> dict[Any, Decimal]:
    """By store, order and currency, on any day."""
    taken: dict[Any, Decimal] = defaultdict(Decimal)
    for _, line, before, after in reference.refunds(asked.past.lines)[1]:
        taken[line["store_id"], line["order_id"], line["currency"]] += after - before
    return taken


def refunds(asked: Asked) -> Rows:
    taken: dict[Any, Decimal] = defaultdict(Decimal)
    for refund, line, before, after in reference.refunds(asked.past.lines)[1]:
        if asked.takes(refund["store_id"], refund["day"]) and not line["is_bot"]:
            taken[line["store_id"], line["currency"], line["product_id"]] += after - before
    sold: dict[Any, Decimal] = defaultdict(Decimal)
    for line in asked.lines():
        sold[line["store_id"], line["currency"], line["product_id"]] += line["revenue"] or 0
    rows = [
        (
            *(store, product, asked.past.title(store, product), currency),
            *(sold[key], back, percent(back, sold[key])),
        )
        for key, back in taken.items()
        for store, currency, product in [key]
    ]
    rows.sort(key=lambda row: (row[0], row[3], -row[5], row[1]))
    return [row for _, of in by(rows, lambda row: (row[0], row[3])) for row in of[:20]]


def repeat_buyers(asked: Asked) -> Rows:
    buyers = Counter(
        (order[0]["store_id"], order[0]["device_key"])
        for order in asked.orders()
        if not order[0]["is_server"]
    )
    found = []
    for key, of in by(buyers.items(), lambda one: (one[0][0],)):
        again = count(of, lambda one: one[1] > 1)
        found.append((*key, len(of), again, percent(again, len(of)), max(one[1] for one in of)))
    return found


def bought_together(asked: Asked) -> Rows:
    kept: dict[Any, set[int]] = defaultdict(set)
    for line in asked.lines():
        own = line["event_key"] if line["order_id"] is None else None
        kept[line["store_id"], line["order_id"], own].add(line["product_id"])
    pairs = Counter(
        (store, *pair)
        for (store, *_), products in kept.items()
        for pair in combinations(sorted(products), 2)
    )
    rows = [
        (store, one, title(store, one), two, title(store, two), times)
        for (store, one, two), times in pairs.items()
        for title in [asked.past.title]
    ]
    return _first_20(sorted(rows, key=lambda row: (row[0], -row[5], row[1], row[3])), 1)


def products(asked: Asked) -> Rows:
    done: dict[Any, Counter[str]] = defaultdict(Counter)
    for event in asked.events():
        if event["product_id"] is not None:
            done[event["store_id"], event["product_id"]][event["event_type"]] += 1
    lines = Counter((line["store_id"], line["product_id"]) for line in asked.lines())
    shown = ("product_impression", "product_click", "product_view", "add_to_cart")
    rows = []
    for key in {
        *(key for key, types in done.items() if any(types[name] for name in shown)),
        *lines,
    }:
        saw, clicked, _, added = (done[key][name] for name in shown)
        title = asked.past.title(*key)
        rows.append((*key, title, saw, clicked, added, lines[key], percent(clicked, saw)))
    return _first_20(sorted(rows, key=lambda row: (row[0], -row[4], row[1])), 1)


def attribution(asked: Asked) -> Rows:
    def kind(row: Row) -> tuple[Any, ...]:
        kinds = "purchase" if row["event_type"] == "purchase" else "add_to_cart"
        return row["store_id"], kinds, row["match"], row["currency"]

    return [
        (*key, len(of), None if key[3] is None else sum(row["revenue"] for row in of))
        for key, of in by(_conversions(asked), kind)
    ]


def _conversions(asked: Asked) -> list[Row]:
    return [row for row in asked.past.conversions if asked.takes(row["store_id"], row["day"])]


def tokens(asked: Asked) -> Rows:
    def last(row: Row) -> str | None:
        token: str | None = (row["path"] or [row])[-1]["attribution_token"]
        return token

    bought = [row for row in _conversions(asked) if row["event_type"] == "purchase" and last(row)]
    rows = [
        (*key, len(of), None if key[2] is None else sum(row["revenue"] for row in of))
        for key, of in by(bought, lambda row: (row["store_id"], last(row), row["currency"]))
    ]
    rows.sort(key=lambda row: (row[0], row[2] is None, row[2], -(row[4] or 0), row[1]))
    return [row for _, of in by(rows, lambda row: (row[0], row[2])) for row in of[:20]]


def models(asked: Asked) -> Rows:
    sums: dict[Any, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(MODELS, Decimal(0)))
    for row in _conversions(asked):
        if row["revenue"] is not None:
            for (model, token), part in credited(row, asked.past.rules.half_life).items():
                sums[row["store_id"], row["currency"], token][model] += part
    rows = [
        (*key, *(of[model] for model in MODELS)) for key, of in sums.items() if any(of.values())
    ]
    rows.sort(key=lambda row: (row[0], row[1], -row[3], -row[5], row[2] is None, row[2] or ""))
    return _first_20(rows, 2)


def compare_tokens(asked: Asked, token: str, other: str) -> Rows:
    shown: dict[Any, dict[str, bool]] = {}
    of_days = asked.events()
    for event in of_days:
        if event["event_type"] in SHOWS and event["attribution_token"] in (token, other):
            key = (event["store_id"], event["attribution_token"])
            shown.setdefault(key, {})[event["device_key"]] = False
    for event in of_days:
        devices = shown.get((event["store_id"], event["attribution_token"]), {})
        if event["event_type"] == "product_click" and event["device_key"] in devices:
            devices[event["device_key"]] = True
    found = []
    for store in sorted({store for store, _ in shown}):
        one, two = (list(shown.get((store, name), {}).values()) for name in (token, other))
        if one and two:
            p, q = sum(one) / len(one), sum(two) / len(two)
            low, high = newcombe(sum(one), len(one), sum(two), len(two))
            numbers = (100 * p, 100 * q, 100 * (p - q), 100 * low, 100 * high)
            found.append((store, len(one), len(two), *(round(number, 2) for number in numbers)))
    return found


def newcombe(hits: int, trials: int, others: int, of: int) -> tuple[float, float]:
    """Bounds of the difference of two shares, by method 10 of Newcombe (1998), at 95 %."""
    p, q = hits / trials, others / of
    (low, high), (least, most) = wilson(hits, trials), wilson(others, of)
    return (
        p - q - sqrt((p - low) ** 2 + (most - q) ** 2),
        p - q + sqrt((high - p) ** 2 + (q - least) ** 2),
    )


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The two shares s of which `hits` is 1.96 standard errors away: solved, not by the formula."""
    z = 1.959963984540054
    share = hits / trials
    bounds = []
    for low, high, sign in ((0.0, share, 1), (share, 1.0, -1)):
        for _ in range(100):
            middle = (low + high) / 2
            away = sign * (share - middle) > z * sqrt(middle * (1 - middle) / trials)
            is_outside = away if sign == 1 else not away
            low, high = (middle, high) if is_outside else (low, middle)  # noqa: PLW2901
        bounds.append((low + high) / 2)
    return bounds[0], bounds[1]
