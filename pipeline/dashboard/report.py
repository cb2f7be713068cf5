"""What the page shows, as values: the answers of `sql/queries/dashboard_*` for one choice."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from pipeline.warehouse.queries import ask

# Days that a choice may span; the first is the default.
SPANS = (1, 7, 28)
CHART = timedelta(days=13)

Row = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What was asked for, made good: a store that exists, `days` days up to `last`."""

    store: str
    last: date
    days: int

    @property
    def first(self) -> date:
        """The first day of the span."""
        return self.last - timedelta(days=self.days - 1)

    def before(self) -> Choice:
        """The span of the same length just before."""
        return Choice(self.store, self.last - timedelta(days=self.days), self.days)


@dataclass(frozen=True)
class Report:
    """All rows of one page, from one snapshot. `choice` is None while no store has an event."""

    stores: list[Row]
    ledger: Row
    choice: Choice | None = None
    totals: Row | None = None
    totals_before: Row | None = None
    revenue: tuple[Row, ...] = ()
    revenue_before: tuple[Row, ...] = ()
    events: tuple[Row, ...] = ()
    funnel: tuple[Row, ...] = ()
    products: tuple[Row, ...] = ()
    tokens: tuple[Row, ...] = ()
    attribution: tuple[Row, ...] = ()
    searches: tuple[Row, ...] = ()
    quality: tuple[Row, ...] = ()


def report(connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, str]) -> Report:
    """The page's rows. What `wanted` (store, day, days) names in vain falls back to a default."""

    def rows(name: str, choice: Choice, *, first: date | None = None) -> tuple[Row, ...]:
        parameters = {
            "store": choice.store,
            "first": (first or choice.first).isoformat(),
            "last": choice.last.isoformat(),
        }
        return tuple(_rows(connection, name, parameters))

    stores = _rows(connection, "stores", {})
    ledger = _rows(connection, "ledger", {})[0]
    choice = choose(stores, wanted)
    if choice is None:
        return Report(stores, ledger)
    before = choice.before()
    return Report(
        stores,
        ledger,
        choice,
        totals=rows("totals", choice)[0],
        totals_before=rows("totals", before)[0],
        revenue=rows("revenue", choice),
        revenue_before=rows("revenue", before),
        events=rows("events", choice, first=min(choice.first, choice.last - CHART)),
        funnel=rows("funnel", choice),
        products=rows("products", choice),
        tokens=rows("tokens", choice),
        attribution=rows("attribution", choice),
        searches=rows("searches", choice),
        quality=rows("quality", choice),
    )


def choose(stores: list[Row], wanted: Mapping[str, str]) -> Choice | None:
    """The store and days to show: by default the first store, on its last day with events."""
    if not stores:
        return None
    store = next((row for row in stores if row["store_id"] == wanted.get("store")), stores[0])
    last: date = store["last_day"]
    # No day, or none that exists: the newest, as for a first visit.
    with suppress(ValueError):
        last = min(max(date.fromisoformat(wanted.get("day", "")), store["first_day"]), last)
    days = next((span for span in SPANS if str(span) == wanted.get("days")), SPANS[0])
    return Choice(store["store_id"], last, days)


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> list[Row]:
    answer = ask(connection, f"dashboard_{name}", parameters)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
