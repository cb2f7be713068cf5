"""What a page shows: a store or all of them, days, what they are compared with, and filters.

All of it is in the URL. A value that cannot be shown is said on the page; no other takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any
from urllib.parse import urlencode

from pipeline.printable import escaped

Row = dict[str, Any]

# Filters by what a session was.
FILTERS = ("channel", "device", "country", "source", "campaign")
# In an address; a text that is spelled so is escaped (`written`).
WITHOUT = "-"
ALL_STORES = "*"
_ESCAPED = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")
# By what the days shown are moved back; None: by their own number.
COMPARISONS: dict[str, timedelta | None] = {
    "before": None,
    "week": timedelta(days=7),
    "year": timedelta(days=364),  # the same weekdays
}
METRICS = ("revenue", "orders", "sessions", "conversion", "searches", "events")
MODELS = ("last", "first", "linear", "position", "time_decay")
# What an address names, but for what belongs to a table.
PARAMETERS = frozenset(
    ("store", "first", "last", "days", "compare", "bots", "chart", "by", "model", *FILTERS)
)
MOST_DAYS = 366
_BY_HOUR = 7


class SelectionError(Exception):
    """A value in the URL cannot be shown. The message is one line for the reader."""


@dataclass(frozen=True)
class Store:
    """A store with events, or all of them; `today` is the day of its stream, at `time_of_day`."""

    name: str | None
    first_day: date
    last_day: date
    today: date
    time_of_day: time


@dataclass(frozen=True)
class Selection:
    """What is shown. `wanted` is the URL's parameters.

    A filter of None chooses the sessions that have none.
    """

    store: Store
    first: date
    last: date
    compare: str = "before"
    filters: Mapping[str, str | None] = field(default_factory=dict)
    bots: bool = False
    chart: str = "revenue"
    by: str = "day"
    model: str = "last"
    wanted: Mapping[str, str] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """How many days are shown."""
        return (self.last - self.first).days + 1

    @property
    def shift(self) -> timedelta:
        """From a day compared with to the day shown."""
        return COMPARISONS[self.compare] or timedelta(days=self.days)

    @property
    def before(self) -> tuple[date, date]:
        """The first and last day compared with."""
        return self.first - self.shift, self.last - self.shift

    @property
    def has_before(self) -> bool:
        """Whether the store had events on all days compared with."""
        return self.before[0] >= self.store.first_day

    @property
    def is_unfinished(self) -> bool:
        """Whether the last day is the one on which the stream stands."""
        return self.last == self.store.today

    def url(self, path: str = "/", /, **changes: str | None) -> str:
        """The address of this page with changed parameters; None leaves one out."""
        parameters = {**self.wanted, **changes}
        kept = {name: value for name, value in parameters.items() if value not in (None, "")}
        return path + ("?" + urlencode(kept) if kept else "")

    def variables(self) -> dict[str, date | str | None]:
        """What the queries of `sql/dashboard` read by `getvariable`."""
        first, last = self.before
        return {
            "store": self.store.name,
            "first": self.first,
            "last": self.last,
            "before_first": first,
            "before_last": last,
            "earliest": min(first, self.first),
            **{name: self.filters.get(name) for name in FILTERS},
            "grain_of_time": self.by,
            "model": self.model,
        }


def select(stores: list[Row], wanted: Mapping[str, str]) -> Selection:
    """The selection of a URL: by default all of the first store's last day with events.

    `stores` are the rows of `sql/dashboard/stores.sql`, at least one. Raises `SelectionError`.
    """
    store = _store(stores, wanted.get("store") or written(stores[0]["store_id"]))
    filters = {name: _read(wanted[name]) for name in FILTERS if wanted.get(name)}
    if wanted.get("first") and wanted.get("days"):
        raise SelectionError("The address has a first day and a number of days: leave one out.")
    last = _day(wanted, "last") or store.last_day
    first = _day(wanted, "first") or _first(wanted, last)
    if first > last:
        raise SelectionError(f"The first day, {first}, is after the last day, {last}.")
    if last - first >= timedelta(days=MOST_DAYS):
        raise SelectionError(f"{first} to {last} is longer than {MOST_DAYS} days.")
    if first > store.last_day or last < store.first_day:
        whose = "The stores have" if store.name is None else f"{store.name} has"
        raise SelectionError(
            f"{whose} no events from {first} to {last}: the first are of {store.first_day}, the"
            f" last of {store.last_day}."
        )
    days = (last - first).days + 1
    by = _one_of(wanted, "by", ("hour", "day"), "hour" if days == 1 else "day")
    if by == "hour" and days > _BY_HOUR:
        raise SelectionError(f"Hours are shown for at most {_BY_HOUR} days.")
    return Selection(
        store,
        first,
        last,
        compare=_one_of(wanted, "compare", tuple(COMPARISONS), "before"),
        filters=filters,
        bots=_one_of(wanted, "bots", ("beside", "no"), "no") == "beside",
        chart=_one_of(wanted, "chart", METRICS, "revenue"),
        by=by,
        model=_one_of(wanted, "model", MODELS, "last"),
        # Of an address that was typed, too.
        wanted={**wanted, **{name: written(value) for name, value in filters.items()}},
    )


def written(value: str | None) -> str:
    """How an address names a text of a sender, in printable letters; None is the absence of one."""
    if value is None:
        return WITHOUT
    if value in (WITHOUT, ALL_STORES):
        return f"\\u{ord(value):04x}"
    return escaped(value.replace("\\", "\\\\"))


def _read(text: str) -> str | None:
    if text == WITHOUT:
        return None
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


def _store(stores: list[Row], name: str) -> Store:
    if name == ALL_STORES:
        latest = max((row["today"], row["time_of_day"]) for row in stores)
        first_day = min(row["first_day"] for row in stores)
        return Store(None, first_day, max(row["last_day"] for row in stores), *latest)
    for row in stores:
        if row["store_id"] == _read(name):
            return Store(
                row["store_id"], row["first_day"], row["last_day"], row["today"], row["time_of_day"]
            )
    raise SelectionError(f"There are no events of a store “{name}”.")


def _first(wanted: Mapping[str, str], last: date) -> date:
    days = wanted.get("days") or "1"
    is_number = days.isascii() and days.isdigit() and len(days) <= len(str(MOST_DAYS))
    if not (is_number and 1 <= int(days) <= MOST_DAYS):
        raise SelectionError(f"“{days}” is no number of days from 1 to {MOST_DAYS}.")
    return last - timedelta(days=int(days) - 1)


def _day(wanted: Mapping[str, str], name: str) -> date | None:
    text = wanted.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SelectionError(f"“{text}” is not a day: write it as 2026-07-01.") from None
    if not 1970 <= day.year <= 2999:
        raise SelectionError(f"{text} is not between 1970 and 2999.")
    return day


def _one_of(wanted: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = wanted.get(name) or default
    if value not in allowed:
        raise SelectionError(f"{name}={value} is none of: {', '.join(allowed)}.")
    return value
