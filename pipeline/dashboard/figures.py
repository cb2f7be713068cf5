"""Numbers, money, changes and times as the page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache

import duckdb

from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.selection import Row
from pipeline.warehouse.sql import files

_LONGEST = 60
NOTHING = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"


def whole(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def decimal(number: Decimal | float | None) -> str:
    """12,345.5, without a decimal that is 0; a dash for None."""
    return NOTHING if number is None else f"{number:,.1f}".removesuffix(".0")


def rate(share: float | None) -> str:
    """4.2 %; a dash for None."""
    return NOTHING if share is None else f"{share:.1%}".replace("%", f"{_SPACE}%")


def amount(value: Decimal, currency: str) -> str:
    """1,234.50 USD, with the decimal places of the currency."""
    return f"{value:,.{places(currency)}f}{_SPACE}{currency}"


def money(value: Decimal, currency: str) -> Markup:
    """An amount that does not break, whatever the direction of the text around it."""
    number = f"{value:,.{places(currency)}f}{_SPACE}"
    return tag("bdi", number, tag("span", currency, class_="unit"), class_="money")


def places(currency: str) -> int:
    """Decimal places of a currency."""
    return _places().get(currency, 2)


@cache
def _places() -> Mapping[str, int]:
    """Decimal places by currency, from the view `currencies`; all others have two."""
    with duckdb.connect() as connection:
        return dict(connection.execute(dict(files("views"))["currencies"]).fetchall())


def moneys(amounts: Iterable[Row] | None) -> list[Markup] | str:
    """An amount for each currency; amounts of several currencies are never summed."""
    shown = [money(row["amount"], row["currency"]) for row in amounts or () if row["amount"]]
    return list(shown) or NOTHING


def change(now: Decimal | float | None, before: Decimal | float | None, *, good: bool) -> Content:
    """An arrow and the percent by which `now` differs; nothing where there is no percent.

    `good`: more is better, so the change has a colour.
    """
    if now is None or not before:
        return None
    by = float((now - before) / abs(before))  # type: ignore[operator]  # both of one kind
    if abs(by) < 0.0005:
        return tag("span", "same", class_="change")
    arrow, word = ("\N{UPWARDS ARROW}", "up") if by > 0 else ("\N{DOWNWARDS ARROW}", "down")
    kind = word if good else "neutral"
    percent = f"{abs(by):,.1%}".replace("%", f"{_SPACE}%")
    hidden = tag("span", f"{word} ", class_="unseen")
    return tag(
        "span",
        tag("span", f"{arrow}\N{NARROW NO-BREAK SPACE}", aria_hidden="true"),
        hidden,
        percent,
        class_=f"change {kind}",
    )


def day_of(day: date, *, year: bool = True) -> str:
    """Mon 24 Nov 2025."""
    return f"{day:%a} {day.day} {day:%b %Y}" if year else f"{day:%a} {day.day} {day:%b}"


def days_of(first: date, last: date) -> str:
    """Mon 24 Nov to Sun 30 Nov 2025; one day as itself."""
    if first == last:
        return day_of(last)
    return f"{day_of(first, year=first.year != last.year)} to {day_of(last)}"


def moment(at: datetime | None, **attributes: str) -> Markup | str:
    """A time in UTC that scripts can read, too."""
    if at is None:
        return NOTHING
    written = f"{at:%Y-%m-%dT%H:%M:%S}Z"
    return tag("time", f"{at:%Y-%m-%d %H:%M:%S} UTC", datetime=written, **attributes)


def foreign(text: str, *, longest: int = _LONGEST) -> Markup:
    """Text from a client: shortened, and isolated from the direction of the text around it."""
    if len(text) <= longest:
        return tag("bdi", text)
    return tag("bdi", text[:longest] + "…", title=text)


def token(text: str | None) -> Content:
    """An attribution token, which nobody reads to its end; a dash for None."""
    return NOTHING if text is None else foreign(text, longest=20)


def bar(share: float) -> Markup:
    """A bar beside a number; hidden from screen readers, which read the number."""
    filled = tag("rect", class_="bar", width=f"{100 * min(share, 1):.2f}%", height="100%")
    return tag("svg", filled, class_="meter", aria_hidden="true")
