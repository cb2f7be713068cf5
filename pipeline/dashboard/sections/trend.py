"""One measure over the days or hours, with the time compared with, and the same as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pipeline.dashboard.chart import Chart, Point
from pipeline.dashboard.figures import NOTHING, amount, day_of, days_of, rate, whole
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Row, Selection

_TITLES = {
    "revenue": "Gross revenue",
    "orders": "Orders",
    "sessions": "Sessions",
    "conversion": "Conversion",
    "searches": "Searches",
    "events": "Events",
}
Slot = tuple[date, int | None]
Values = dict[Slot, dict[str, Any]]


def _show(found: Found, selection: Selection) -> Content:
    currencies = _currencies(found["trend_sales"], selection)
    wanted = selection.wanted.get("currency")
    currency = wanted if wanted in currencies else next(iter(currencies), "")
    value, written = _measure(selection.chart, currency)
    tick = _tick(selection.chart, currency)
    points = _points(found, selection, value)
    title = _TITLES[selection.chart] + (f" in {currency}" if selection.chart == "revenue" else "")
    before = days_of(*selection.before) if selection.has_before else None
    by = "hour" if selection.by == "hour" else "day"
    chart = Chart(
        f"{title} by {by}", days_of(selection.first, selection.last), before, points, written, tick
    )
    return [
        _tabs("Measure", "chart", _TITLES, selection.chart, selection),
        _choices(selection, currencies if selection.chart == "revenue" else (), currency),
        chart.shown(),
        _table(chart, title),
    ]


def _choices(selection: Selection, currencies: Sequence[str], currency: str) -> Content:
    kinds = {"hour": "By hour", "day": "By day"}
    by = _tabs("Steps", "by", kinds, selection.by, selection) if selection.days <= 7 else None
    named = {each: each for each in currencies}
    money = _tabs("Currency", "currency", named, currency, selection) if len(named) > 1 else None
    return tag("div", by, money, class_="choices") if by or money else None


def _tabs(
    label: str, name: str, titles: dict[str, str], chosen: str, selection: Selection
) -> Markup:
    links = [
        tag(
            "a",
            title,
            href=selection.url(**{name: value}),
            aria_current="true" if value == chosen else None,
            id=f"{name}-{value}",
            data_keep="1",
        )
        for value, title in titles.items()
    ]
    return tag("nav", *links, aria_label=label, class_="tabs")


def _currencies(rows: Sequence[Row], selection: Selection) -> list[str]:
    """Those of the days shown, the one with the most orders first."""
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["currency"] and row["day"] >= selection.first:
            totals[row["currency"]] += row["orders"]
    return sorted(totals, key=lambda each: (-totals[each], each))


def _measure(
    chart: str, currency: str
) -> tuple[Callable[[dict[str, Any]], float | None], Callable[[float | None], str]]:
    """What a point shows of its sums, and how it is written."""

    def money(value: float | None) -> str:
        return NOTHING if value is None else amount(Decimal(value), currency)

    def count(value: float | None) -> str:
        return NOTHING if value is None else whole(round(value))

    if chart == "revenue":
        return lambda sums: float(sums[currency]), money
    if chart == "conversion":
        return lambda sums: sums["bought"] / sums["sessions"] if sums["sessions"] else None, rate
    key = "session_events" if chart == "events" else chart
    return lambda sums: float(sums[key]), count


def _tick(chart: str, currency: str) -> Callable[[float], str]:
    if chart == "conversion":
        return rate
    unit = f"\N{NO-BREAK SPACE}{currency}" if chart == "revenue" else ""
    return lambda value: f"{value:,.10g}{unit}"


def _points(
    found: Found, selection: Selection, value: Callable[[dict[str, Any]], float | None]
) -> list[Point]:
    now = _sums(found, selection, before=False)
    before = _sums(found, selection, before=True) if selection.has_before else None
    points = []
    for day, hour in _slots(selection):
        at = day - selection.shift, hour
        unfinished = selection.is_unfinished and day == selection.last
        to_come = False
        if hour is not None and unfinished:
            to_come = hour > selection.store.time_of_day.hour
            unfinished = hour == selection.store.time_of_day.hour
        name = day_of(day) if hour is None else f"{day_of(day)}, {hour:02}:00"
        points.append(
            Point(
                name,
                f"{day.day} {day:%b}" if hour is None or selection.days > 1 else f"{hour:02}:00",
                None if to_come else value(now[day, hour]),
                None if before is None else value(before[at]),
                unfinished,
            )
        )
    return points


def _slots(selection: Selection) -> list[Slot]:
    days = [selection.first + timedelta(days=n) for n in range(selection.days)]
    hours: Sequence[int | None] = range(24) if selection.by == "hour" else [None]
    return [(day, hour) for day in days for hour in hours]


def _sums(found: Found, selection: Selection, *, before: bool) -> Values:
    """Sums by slot. A day that is compared with an unfinished one counts up to its time of day."""
    sums: Values = defaultdict(lambda: defaultdict(int))
    for row in (*found["trend_visits"], *found["trend_sales"]):
        is_cut = before and row["hour"] is None and row["day"] == selection.before[1]
        if is_cut and not row["in_time"]:
            continue
        slot = sums[row["day"], row["hour"]]
        for key in ("sessions", "bought", "searches", "session_events", "orders"):
            slot[key] += row.get(key, 0)
        if "currency" in row:
            slot[row["currency"]] += row["gross_revenue"]
    return sums


def _table(chart: Chart, title: str) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", point.label, scope="row"),
            tag("td", chart.written(point.now), " so far" if point.is_unfinished else None),
            tag("td", chart.written(point.before)) if chart.before else None,
        )
        for point in chart.points
    ]
    names = ["When", title, *(["Before"] if chart.before else [])]
    head = tag("tr", *(tag("th", name, scope="col") for name in names))
    caption = tag("caption", chart.label, class_="unseen")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows))
    return tag(
        "details", tag("summary", "The same as a table"), table, id="trend-table", data_keep="1"
    )


TREND = Section("trend", "Over time", ("trend_visits", "trend_sales"), _show)
