"""The sections of the page, each made of rows of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from pipeline.dashboard.figures import (
    bar,
    columns,
    day_of,
    foreign,
    moneys,
    rate,
    whole,
)
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.report import CHART, Report, Row, Selection
from pipeline.domain.catalog import EVENT_TYPES

_MATCHES = {
    "direct": ("Direct", "carries the token of a click"),
    "carried": ("Carried", "no token, but a click on the same product"),
    "orphan": ("Orphan", "carries a token that was never clicked"),
    "none": ("None", "no click before it"),
}
_TITLES = {"purchase": "Order lines", "add_to_cart": "Added to cart"}


def all_of(report: Report, selection: Selection) -> list[Content]:
    """All sections, in the order of the page."""
    return [
        _tiles(report, selection),
        _chart(report, selection),
        _types(report, selection),
        _funnel(report.funnel),
        _attribution(report.attribution),
        _ranking("Products", "Product", report.products),
        _ranking("Attribution tokens", "Token", report.tokens),
        _searches(report.searches),
        _quality(report.quality),
    ]


def _tiles(report: Report, selection: Selection) -> Markup:
    now, before = report.totals or {}, report.totals_before or {}
    span = day_of(selection.last)
    if selection.days > 1:
        span = f"{day_of(selection.first)} to {span}"
    earlier = "day before" if selection.days == 1 else f"{selection.days} days before"

    def tile(name: str, value: Content, before: Content) -> Markup:
        then = tag("dd", earlier, ": ", before, class_="before")
        return tag("div", tag("dt", name), tag("dd", value, class_="value"), then, class_="tile")

    tiles = [
        tile("Events", whole(now["events"]), whole(before["events"])),
        tile("Sessions", whole(now["sessions"]), whole(before["sessions"])),
        tile("Conversion rate", rate(now["conversion_rate"]), rate(before["conversion_rate"])),
        tile("Orders", whole(now["orders"]), whole(before["orders"])),
        tile("Gross revenue", moneys(report.revenue), moneys(report.revenue_before)),
    ]
    title = tag("h2", foreign(selection.store), tag("small", f" {span}"))
    return tag("section", title, tag("dl", *tiles, class_="tiles"), class_="wide bare")


def _chart(report: Report, selection: Selection) -> Markup:
    first = min(selection.first, selection.last - CHART)
    days = [first + timedelta(days=n) for n in range((selection.last - first).days + 1)]
    totals = dict.fromkeys(days, 0)
    for row in report.events:
        totals[row["day"]] += row["events"]
    values = list(totals.values())
    label = f"Events per day, {day_of(days[0])} to {day_of(days[-1])}, at most {whole(max(values))}"
    axis = tag("p", tag("span", day_of(days[0])), tag("span", day_of(days[-1])), class_="axis")
    top = tag("p", f"highest: {whole(max(values))}", class_="before")
    return _section("Events per day", top, columns(days, values, label=label), axis, wide=True)


def _types(report: Report, selection: Selection) -> Markup:
    first = min(selection.first, selection.last - CHART)
    days = [first + timedelta(days=n) for n in range((selection.last - first).days + 1)]
    found = {(row["event_type"], row["day"]): row["events"] for row in report.events}
    rows = []
    for event_type in EVENT_TYPES:
        values = [found.get((event_type, day), 0) for day in days]
        in_span = sum(values[-selection.days :])
        chart = columns(days, values, label=f"{event_type} per day, at most {whole(max(values))}")
        rows.append([event_type, in_span, chart])
    heads = ("Event type", "Selected days", f"Last {len(days)} days, each with its own scale")
    return _section("Event types", _table(heads, rows))


def _funnel(steps: Sequence[Row]) -> Markup:
    start = steps[0]["sessions"] or 1
    rows: list[list[Content]] = [
        [row["label"], row["sessions"], rate(row["sessions"] / start), bar(row["sessions"] / start)]
        for row in steps
    ]
    return _section("Funnel", _table(("Step", "Sessions", "Share", ""), rows))


def _attribution(found: Sequence[Row]) -> Markup:
    parts: list[Content] = []
    for conversion_type, of_type in groupby(found, itemgetter("conversion_type")):
        rows: list[list[Content]] = [
            [
                _match(row["match"]),
                row["conversions"],
                rate(row["share"]),
                bar(row["share"]),
                moneys(row["revenue"]),
            ]
            for row in of_type
        ]
        title = _TITLES.get(conversion_type, conversion_type)
        parts.append(_table((title, "Conversions", "Share", "", "Revenue"), rows))
    return _section("Attribution by match", *(parts or [_NOTHING]), wide=True)


def _match(match: str) -> Markup:
    name, meaning = _MATCHES.get(match, (match, ""))
    return tag("span", name, tag("small", f" {meaning}"))


def _ranking(title: str, subject: str, found: Sequence[Row]) -> Markup:
    """Products or tokens, with their counts from impression to sale."""
    heads = (subject, "Impressions", "Clicks", "Click rate", "Carts", "Sold", "Revenue")
    rows: list[list[Content]] = [
        [
            foreign(row[subject.lower()]),
            row["impressions"],
            row["clicks"],
            rate(row["click_rate"]),
            row["add_to_carts"],
            row["sold"],
            moneys(row["revenue"]),
        ]
        for row in found
    ]
    return _section(title, _table(heads, rows), wide=True)


def _searches(found: Sequence[Row]) -> Markup:
    rows: list[list[Content]] = [
        [foreign(row["query"]), row["searches"], row["devices"]] for row in found
    ]
    return _section("Searches", _table(("Query", "Searches", "Devices"), rows))


def _quality(found: Sequence[Row]) -> Markup:
    rows: list[list[Content]] = [
        [tag("span", row["measure"], _detail(row["detail"])), row["events"]] for row in found
    ]
    return _section("Quality", _table(("Measure", "Events"), rows))


def _detail(text: str | None) -> Markup | None:
    return None if text is None else tag("small", " ", foreign(text))


_NOTHING = tag("p", "No data for these days.", class_="before")


def _section(title: str, *content: Content, wide: bool = False) -> Markup:
    return tag("section", tag("h2", title), *content, class_="wide" if wide else None)


def _table(heads: Sequence[str], rows: Sequence[list[Content]]) -> Markup:
    """A table whose first column is the row header; integers get thousands separators."""
    if not rows:
        return _NOTHING
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", _cell(cell)) for cell in row[1:]))
        for row in rows
    ]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    # On a narrow screen the table scrolls, also by keyboard, and not the page.
    return tag("div", table, class_="scroll", role="region", aria_label=heads[0], tabindex="0")


def _cell(cell: Content) -> Content:
    return whole(cell) if isinstance(cell, int) else cell
