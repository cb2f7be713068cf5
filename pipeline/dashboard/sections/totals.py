"""What was sold and who came, each beside the days compared with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pipeline.dashboard.figures import NOTHING, change, days_of, money, rate, whole
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.sections.section import Found, Section
from pipeline.dashboard.selection import Row, Selection

# Below so many orders on either side, one more or less moves what is made of them by a tenth.
_FEW_ORDERS = 10
_NAMES = {"before": "", "week": "week before", "year": "52 weeks before"}
Amounts = dict[str, Decimal]


def _show(found: Found, selection: Selection) -> Content:
    totals = {(row["period"], row["is_bot"]): row for row in found["totals"]}
    now, bots = totals["now", False], totals["now", True]
    before = totals["before", False] if selection.has_before else None
    amounts = {
        period: [row for row in found["money"] if row["period"] == period]
        for period in ("now", "before")
    }

    def paid(name: str, of: Any, *, good: bool = True) -> Markup:
        then = _by_currency(amounts["before"], of) if before else None
        return _money_tile(name, _by_currency(amounts["now"], of), then, good=good)

    def count(name: str, key: str) -> Markup:
        beside = whole(bots[key]) if selection.bots else None
        then = before[key] if before else None
        return _tile(name, whole(now[key]), then and whole(then), _moved(now[key], then), beside)

    converted = _share(now), _share(before)
    tiles = [
        paid("Net revenue", lambda row: row["gross_revenue"] - row["refunds"]),
        paid("Gross revenue", lambda row: row["gross_revenue"]),
        paid("Refunds", lambda row: row["refunds"], good=False),
        paid("Average order", _average),
        count("Orders", "orders"),
        count("Sessions", "sessions"),
        _tile(
            "Conversion",
            rate(converted[0]),
            None if converted[1] is None else rate(converted[1]),
            _moved(*converted),
            rate(_share(bots)) if selection.bots else None,
        ),
        count("Searches", "searches"),
        count("Events", "session_events"),
    ]
    are_few = before is not None and min(now["orders"], before["orders"]) < _FEW_ORDERS
    return [_comparison(selection, are_few=are_few), tag("dl", *tiles, class_="tiles")]


def _comparison(selection: Selection, *, are_few: bool) -> Markup:
    """What the changes are against, in words."""
    first, last = selection.before
    name = _NAMES[selection.compare] or (
        "day before" if selection.days == 1 else f"{selection.days} days before"
    )
    said: list[Content] = []
    if selection.is_unfinished:
        until = f"{selection.store.time_of_day:%H:%M}"
        said.append(tag("strong", f"The last day is unfinished: figures until {until}. "))
    if not selection.has_before:
        begin = days_of(selection.store.first_day, selection.store.first_day)
        said.append(f"No comparison with the {name}: the first events are of {begin}.")
    else:
        hours = " up to the same time of day" if selection.is_unfinished else ""
        said.append(f"Compared with the {name}, {days_of(first, last)}{hours}.")
    if are_few:
        said.append(" Few orders: their changes, and those of revenue, may be chance.")
    return tag("p", *said, class_="note", id="comparison")


def _tile(
    name: str, value: Content, before: Content, moved: Content, bots: Content = None
) -> Markup:
    then = tag("dd", _from(moved, before), class_="before") if before is not None else None
    if before is None:
        then = tag("dd", "no data before", class_="before")
    beside = tag("dd", "bots: ", bots, class_="before") if bots is not None else None
    return tag(
        "div", tag("dt", name), tag("dd", value, class_="value"), then, beside, class_="tile"
    )


def _from(moved: Content, before: Content) -> Content:
    return [moved, " from " if moved else "from ", before]


def _moved(now: Any, before: Any) -> Content:
    return change(now, before, good=True)


def _share(row: Row | None) -> float | None:
    return row["bought"] / row["sessions"] if row and row["sessions"] else None


def _by_currency(rows: Sequence[Row], of: Any) -> Amounts:
    return {row["currency"]: of(row) for row in rows}


def _average(row: Row) -> Decimal:
    return row["gross_revenue"] / row["orders"] if row["orders"] else Decimal(0)


def _money_tile(name: str, now: Amounts, before: Amounts | None, *, good: bool) -> Markup:
    """The first currency large, others below it: they have no sum."""
    rows: list[Content] = []
    for currency in dict.fromkeys([*now, *(before or {})]):
        value, then = now.get(currency, Decimal(0)), (before or {}).get(currency, Decimal(0))
        if rows and not value and not then:
            continue
        rows.append(tag("dd", money(value, currency), class_="value" if not rows else "value more"))
        if before is None:
            continue
        moved = change(value, then, good=good)
        rows.append(tag("dd", _from(moved, money(then, currency)), class_="before"))
    if not rows:
        rows.append(tag("dd", NOTHING, class_="value"))
    if before is None:
        rows.append(tag("dd", "no data before", class_="before"))
    return tag("div", tag("dt", name), *rows, class_="tile")


TOTALS = Section(
    "totals",
    "Totals",
    ("totals", "money"),
    _show,
    note="People only. Revenue is that of order lines, on their own day, and refunds on theirs."
    " Searches and events count on the day on which their session began.",
)
