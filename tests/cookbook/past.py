"""What happened, told anew in plain Python from the facts alone: visits, lines, orders, paths.

Written from the rules and not from `sql/`, so that agreement means something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

import reference
from reference import MODELS, Row, ms

from pipeline.domain.rules import Rules

RANK = {
    "search": 0,
    "autocomplete": 0,
    "collection_view": 0,
    "block_view": 1,
    "product_impression": 1,
    "product_hover": 2,
    "product_touch": 2,
    "product_click": 3,
    "product_view": 4,
    "add_to_cart": 5,
    "purchase": 6,
    "refund": 7,
}
REPORTS = {"purchase", "refund"}


@dataclass
class Visit:
    """A session (S1-S6): its events in T5 order, and the counted lines that are its own (P2)."""

    events: list[Row]
    lines: list[Row] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        """A field of the first event."""
        return self.events[0][name]

    @property
    def is_bot(self) -> bool:
        return all(event["is_bot"] for event in self.events)

    @property
    def is_report(self) -> bool:
        return all(e["is_server"] and e["event_type"] in REPORTS for e in self.events)

    @property
    def started_at(self) -> datetime:
        return self.events[0]["occurred_at"]

    @property
    def length_ms(self) -> int:
        return ms(self.events[-1]["occurred_at"]) - ms(self.started_at)

    @property
    def has_converted(self) -> bool:
        return any(line["counts_order"] for line in self.lines)

    @property
    def campaign(self) -> tuple[Any, ...]:
        """Source, medium and name, of the first event that names one of them."""
        names = ("marketing_source", "marketing_medium", "marketing_campaign")
        named = ([event[name] for name in names] for event in self.events)
        return tuple(next((one for one in named if any(one)), [None] * 3))

    def has(self, event_type: str) -> bool:
        return any(event["event_type"] == event_type for event in self.events)


class Past:
    """All that follows by `rules` from rows of `events`, and what beside them was not accepted."""

    def __init__(
        self,
        events: Iterable[Row],
        rules: Rules,
        *,
        catalog: Iterable[Row] = (),
        **refused: Sequence[Row],
    ) -> None:
        self.rules, self.refused = rules, refused
        self.catalog = {
            (entry["store_id"], int(entry["id"])): entry["title"]
            for entry in catalog
            if entry["kind"] == "product"
        }
        self.events = sorted(events, key=in_order)
        self.people = [e for e in self.events if not e["is_bot"] and not e["is_prefetch"]]

    def title(self, store: str, product: int) -> str | None:
        return self.catalog.get((store, product))

    @cached_property
    def lines(self) -> list[Row]:
        """Lines of purchases and refunds, and what counts of them (A9, A11)."""
        sold = [e for e in self.events if e["event_type"] in REPORTS and not e["is_prefetch"]]
        lines = [line for event in sold for line in _lines(event)]
        names = ("is_repeated", "is_unconfirmed", "counts_order", "quantity", "price", "currency")
        settled = reference.settled(lines)
        for line in lines:
            key = (line["event_key"], line["occurred_at"], line["line"])
            line |= dict(zip(names, settled[key], strict=True))
            line["revenue"] = None if line["price"] is None else line["price"] * line["quantity"]
        return lines

    @property
    def bought(self) -> list[Row]:
        """Lines of people's orders that count."""
        return [
            line
            for line in self.lines
            if reference.counts(line) and not line["is_refund"] and not line["is_bot"]
        ]

    @cached_property
    def sessions(self) -> list[Visit]:
        """All sessions, by start."""
        apart: dict[Any, list[Row]] = defaultdict(list)
        for event in self.events:
            if not event["is_prefetch"]:
                apart[event["store_id"], event["device_key"], event["session_id"]].append(event)
        visits: list[Visit] = []
        of_event: dict[Any, Visit] = {}
        for events in apart.values():
            last = None
            for event in events:
                if last is None or event["occurred_at"] - last > self.rules.gap:
                    visits.append(Visit([]))
                visits[-1].events.append(event)
                of_event[event["event_key"], event["occurred_at"]] = visits[-1]
                last = event["occurred_at"]
        for line in self.lines:
            visit = of_event[line["event_key"], line["occurred_at"]]
            if not line["is_refund"] and reference.counts(line) and line["is_bot"] == visit.is_bot:
                visit.lines.append(line)
        return sorted(visits, key=lambda visit: visit.started_at)

    @property
    def visits(self) -> list[Visit]:
        """People's sessions without those that are only a server's reports."""
        return [visit for visit in self.sessions if not visit.is_bot and not visit.is_report]

    @cached_property
    def first_visits(self) -> dict[Any, Visit]:
        """By store and device."""
        first: dict[Any, Visit] = {}
        for visit in self.visits:
            first.setdefault((visit.store_id, visit.device_key), visit)
        return first

    @cached_property
    def orders(self) -> list[list[Row]]:
        """People's orders, each as its lines; that through which it counts is the first."""
        orders: dict[Any, list[Row]] = defaultdict(list)
        for line in self.bought:
            own = (line["event_key"], line["occurred_at"]) if line["order_id"] is None else None
            orders[line["store_id"], line["order_id"], own].append(line)
        return [
            sorted(order, key=lambda line: not line["counts_order"]) for order in orders.values()
        ]

    @cached_property
    def conversions(self) -> list[Row]:
        """People's, each with `match` and `path` (A2-A6)."""
        carts = [
            {**event, "revenue": None, "currency": None}
            for event in self.people
            if event["event_type"] == "add_to_cart"
        ]
        clicks: dict[Any, list[Row]] = defaultdict(list)
        for event in self.events:
            clicked = event["event_type"] == "product_click" and not event["is_prefetch"]
            if clicked and event["attribution_token"] is not None:
                clicks[event["store_id"], event["device_key"]].append(event)
        return [
            {**row, **_path(row, clicks[row["store_id"], row["device_key"]], self.rules)}
            for row in [*carts, *self.bought]
        ]


def in_order(event: Row) -> tuple[Any, ...]:
    """T5."""
    return event["occurred_at"], RANK[event["event_type"]], event["event_key"]


def _lines(event: Row) -> list[Row]:
    own = {name: event[name] for name in ("product_id", "variant_id", "quantity", "price")}
    return [
        {
            **event,
            **item,
            "line": number,
            "is_refund": event["event_type"] == "refund",
            "attribution_token": item.get("attribution_token") or event["attribution_token"],
            "reported_quantity": item["quantity"],
            "reported_price": item["price"],
            "reported_currency": None if item["price"] is None else event["currency"],
        }
        for number, item in enumerate(event["items"] or [own])
    ]


def _path(row: Row, clicks: Sequence[Row], rules: Rules) -> Row:
    token, product = row["attribution_token"], row["product_id"]
    seen = [
        click
        for click in clicks
        if in_order(click) < in_order(row)
        and row["occurred_at"] - click["occurred_at"] <= rules.lookback
    ]
    if token is None:
        path = [click for click in seen if click["product_id"] == product]
        match = "carried" if path else "none"
    else:
        path = [click for click in seen if click["attribution_token"] == token]
        match = "direct" if path else "orphan"
    last = {(click["attribution_token"], click["product_id"]): click for click in path}
    return {"match": match, "path": sorted(last.values(), key=in_order)[-rules.most_touches :]}


def credited(row: Row, half_life: timedelta) -> dict[tuple[str, str | None], Decimal]:
    """What a priced conversion earns each token, by model and token (A7)."""
    path = row["path"]
    if not path:
        return {(model, row["attribution_token"]): row["revenue"] for model in MODELS}
    ages = [ms(row["occurred_at"]) - ms(touch["occurred_at"]) for touch in path]
    earned: dict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
    for model in MODELS:
        shares = reference.weights(model, ages, half_life // timedelta(milliseconds=1))
        parts = reference.split(row["revenue"], shares, row["currency"])
        for touch, part in zip(path, parts, strict=True):
            earned[model, touch["attribution_token"]] += part
    return earned


@dataclass(frozen=True)
class Asked:
    """What a question is asked about: one store and days, both included, or everything."""

    past: Past
    store: str | None = None
    first: date = date.min
    last: date = date.max

    def takes(self, store: str, day: date | None = None) -> bool:
        is_in = day is None or self.first <= day <= self.last
        return self.store in (None, store) and is_in

    def events(self, day: str = "day") -> list[Row]:
        """People's."""
        return [e for e in self.past.people if self.takes(e["store_id"], e[day])]

    def visits(self) -> list[Visit]:
        return [visit for visit in self.past.visits if self.takes(visit.store_id, visit.day)]

    def lines(self) -> list[Row]:
        return [line for line in self.past.bought if self.takes(line["store_id"], line["day"])]

    def orders(self) -> list[list[Row]]:
        return [
            order for order in self.past.orders if self.takes(order[0]["store_id"], order[0]["day"])
        ]


def by(rows: Iterable[Any], key: Any) -> list[tuple[Any, list[Any]]]:
    """`rows` by a key of texts, numbers and days, in its order; None comes last."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return sorted(groups.items(), key=lambda group: nulls_last(group[0]))


def nulls_last(key: Sequence[Any]) -> list[Any]:
    return [(part is None, part) if part is not None else (True, 0) for part in key]


def count(rows: Iterable[Any], test: Any) -> int:
    return sum(1 for row in rows if test(row))


def percent(part: float | Decimal, whole: float | Decimal) -> float | None:
    return places(100 * Decimal(part) / Decimal(whole), 2) if whole else None


def places(value: float | Decimal, digits: int) -> float:
    """Rounded as SQL does, a half away from zero."""
    return float(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def quantile(values: Iterable[Any], share: float) -> Any:
    """The least value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
