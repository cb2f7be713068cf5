"""The data of the page: the results of `sql/queries/dashboard_*` for one selection."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from pipeline.warehouse.queries import ask

# Selectable numbers of days; the first is the default.
SPANS = (1, 7, 28)
CHART = timedelta(days=13)

Row = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """A store that exists, and `days` days up to `last`."""

    store: str
    last: date
    days: int

    @property
    def first(self) -> date:
        """The first day of the span."""
        return self.last - timedelta(days=self.days - 1)

    def before(self) -> Selection:
        """The days of the same number just before."""
        return Selection(self.store, self.last - timedelta(days=self.days), self.days)


@dataclass(frozen=True)
class Report:
    """All rows of one page. `selection` is None while no store has an event."""

    stores: list[Row]
    ledger: Row
    selection: Selection | None = None
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
    """The page's rows. Invalid values in `wanted` (store, day, days) become the defaults."""

    def rows(name: str, selection: Selection, *, first: date | None = None) -> tuple[Row, ...]:
        parameters = {
            "store": selection.store,
            "first": (first or selection.first).isoformat(),
            "last": selection.last.isoformat(),
        }
        return tuple(_rows(connection, name, parameters))

    stores = _rows(connection, "stores", {})
    ledger = _rows(connection, "ledger", {})[0]
    selection = select(stores, wanted)
    if selection is None:
        return Report(stores, ledger)
    before = selection.before()
    return Report(
        stores,
        ledger,
        selection,
        totals=rows("totals", selection)[0],
        totals_before=rows("totals", before)[0],
        revenue=rows("revenue", selection),
        revenue_before=rows("revenue", before),
        events=rows("events", selection, first=min(selection.first, selection.last - CHART)),
        funnel=rows("funnel", selection),
        products=rows("products", selection),
        tokens=rows("tokens", selection),
        attribution=rows("attribution", selection),
        searches=rows("searches", selection),
        quality=rows("quality", selection),
    )


def select(stores: list[Row], wanted: Mapping[str, str]) -> Selection | None:
    """The store and days to show: by default the first store, on its last day with events."""
    if not stores:
        return None
    store = next((row for row in stores if row["store_id"] == wanted.get("store")), stores[0])
    last: date = store["last_day"]
    # Without a valid day, the newest.
    with suppress(ValueError):
        last = min(max(date.fromisoformat(wanted.get("day", "")), store["first_day"]), last)
    days = next((span for span in SPANS if str(span) == wanted.get("days")), SPANS[0])
    return Selection(store["store_id"], last, days)


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> list[Row]:
    answer = ask(connection, f"dashboard_{name}", parameters)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
