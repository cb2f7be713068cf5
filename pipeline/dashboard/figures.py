"""Numbers, times and bars as the page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache

import duckdb

from pipeline.dashboard.markup import Markup, tag
from pipeline.dashboard.report import Row
from pipeline.warehouse.sql import files

_LONGEST = 60
NOTHING = "\N{EN DASH}"


def whole(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def rate(share: float | None) -> str:
    """4.2 %; a dash for None."""
    return NOTHING if share is None else f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def money(amount: Decimal, currency: str) -> Markup:
    """1,234.50 USD, with the decimal places of the currency."""
    return tag("span", f"{amount:,.{_places().get(currency, 2)}f} {currency}", class_="money")


@cache
def _places() -> Mapping[str, int]:
    """Decimal places by currency, from the view `currencies`; all others have two."""
    with duckdb.connect() as connection:
        return dict(connection.execute(dict(files("views"))["currencies"]).fetchall())


def moneys(rows: Iterable[Row] | None) -> list[Markup] | str:
    """An amount for each currency; amounts of several currencies are never summed."""
    shown = [money(row["revenue"], row["currency"]) for row in rows or () if row["revenue"]]
    return list(shown) or NOTHING


def day_of(day: date) -> str:
    """Mon 24 Nov 2025."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def moment(at: datetime | None) -> Markup | str:
    """A time in UTC that scripts can read, too."""
    if at is None:
        return NOTHING
    return tag("time", f"{at:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{at:%Y-%m-%dT%H:%M:%S}Z")


def foreign(text: str) -> Markup:
    """Text from a client: shortened, and isolated from the direction of the text around it."""
    if len(text) <= _LONGEST:
        return tag("bdi", text)
    return tag("bdi", text[:_LONGEST] + "…", title=text)


def bar(share: float) -> Markup:
    """A bar beside a number; hidden from screen readers, which read the number."""
    filled = tag("rect", class_="bar", width=f"{100 * min(share, 1):.2f}%", height="100%")
    return tag("svg", filled, class_="meter", aria_hidden="true")


def columns(days: Sequence[date], values: Sequence[int], *, label: str) -> Markup:
    """A column per day, with its day and value as a tooltip."""
    highest = max(values, default=0) or 1
    width = 100 / max(len(days), 1)
    drawn = [
        tag(
            "rect",
            tag("title", f"{day_of(day)}: {whole(value)}"),
            class_="bar",
            x=f"{index * width + width * 0.1:.3f}%",
            y=f"{100 - 100 * value / highest:.2f}%",
            width=f"{width * 0.8:.3f}%",
            height=f"{100 * value / highest:.2f}%",
        )
        for index, (day, value) in enumerate(zip(days, values, strict=True))
    ]
    return tag("svg", *drawn, class_="columns", role="img", aria_label=label)
