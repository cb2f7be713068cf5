"""Tables that sort, can be searched, have pages, and are CSV files, all by their URL alone.

The parameters of a table `t` are `t.sort` (a column's key, after `-` the greatest first), `t.find`
and `t.page`. A malformed one is as if it were absent: it chooses nothing but the order.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pipeline.dashboard.figures import NOTHING, decimal, foreign, moneys, places, rate, whole
from pipeline.dashboard.markup import Content, Markup, tag
from pipeline.dashboard.selection import Row, Selection
from pipeline.printable import printable

PAGE = 10
_PARAMETERS = ("sort", "find", "page")
# A cell that begins so, or with its full-width twin, is a formula for a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Kind = Literal["text", "count", "decimal", "rate", "money"]


@dataclass(frozen=True)
class Column:
    """`key` is that of the rows and the CSV file, `title` the head's text."""

    key: str
    title: str
    kind: Kind = "count"
    show: Callable[[Row], Content] | None = None


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first column names the row. `empty` is said without any.

    `key` tells the rows apart, by default what the first column has.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "Nothing on these days."
    narrow: bool = False
    key: str | None = None

    def shown(self, selection: Selection) -> Content:
        """The table as the URL wants it, with its search, pages and file."""
        if not self.rows:
            return tag("p", self.empty, class_="empty")
        wanted = selection.wanted
        found = self._found(wanted)
        pages = max(1, -(-len(found) // PAGE))
        page = min(max(_number(wanted.get(f"{self.name}.page")), 1), pages)
        rows = found[(page - 1) * PAGE : page * PAGE]
        return tag(
            "div",
            self._search(selection) if len(self.rows) > PAGE else None,
            self._table(rows, selection),
            None if rows else tag("p", "No row contains that.", class_="empty"),
            self._foot(selection, len(found), page, pages),
            class_="table",
            id=f"table-{self.name}",
        )

    def csv(self, wanted: Mapping[str, str]) -> str:
        """All rows that the search finds, in the URL's order; a column for each currency."""
        out = io.StringIO()
        writer = csv.writer(out)
        cells = [cell for column in self.columns for cell in self._cells(column)]
        writer.writerow([head for head, _ in cells])
        for row in self._found(wanted):
            writer.writerow([_safe(value(row)) for _, value in cells])
        return out.getvalue()

    def _cells(self, column: Column) -> list[tuple[str, Callable[[Row], Any]]]:
        key = column.key
        if column.kind != "money":
            return [(key, lambda row: row[key])]

        def of(currency: str) -> Callable[[Row], Any]:
            return lambda row: next(
                (
                    f"{each['amount']:.{places(currency)}f}"
                    for each in row[key] or ()
                    if each["currency"] == currency
                ),
                None,
            )

        used = {each["currency"] for row in self.rows for each in row[key] or ()}
        return [(f"{key}_{currency}", of(currency)) for currency in sorted(used)]

    def _found(self, wanted: Mapping[str, str]) -> list[Row]:
        text = wanted.get(f"{self.name}.find", "").casefold().strip()
        texts = [column.key for column in self.columns if column.kind == "text"]
        rows = [
            row
            for row in self.rows
            if not text or any(text in str(row[key] or "").casefold() for key in texts)
        ]
        key, falling = self._order(wanted)
        column = next((each for each in self.columns if each.key == key), None)
        if column is None:
            return rows
        known = [row for row in rows if row[column.key] is not None]
        absent = [row for row in rows if row[column.key] is None]
        return sorted(known, key=_order_of(column), reverse=falling) + absent

    def _order(self, wanted: Mapping[str, str]) -> tuple[str, bool]:
        sort = wanted.get(f"{self.name}.sort", "")
        return sort.removeprefix("-"), sort.startswith("-")

    def _table(self, rows: Sequence[Row], selection: Selection) -> Markup:
        heads = [self._head(column, selection) for column in self.columns]
        key = self.key or self.columns[0].key
        body = [
            # Roles, because as cards on a phone these are no tables for a screen reader.
            tag(
                "tr",
                *(self._cell(column, row, first=not n) for n, column in enumerate(self.columns)),
                role="row",
                id=f"{self.name}-{zlib.crc32(repr(row[key]).encode()):08x}",
            )
            for row in rows
        ]
        return tag(
            "table",
            tag("caption", self.caption, class_="unseen"),
            tag("thead", tag("tr", *heads, role="row"), role="rowgroup"),
            tag("tbody", *body, role="rowgroup"),
            role="table",
        )

    def _head(self, column: Column, selection: Selection) -> Markup:
        key, falling = self._order(selection.wanted)
        is_sorted = key == column.key
        # The greatest number first, the first text first; a second time the other way round.
        down = not falling if is_sorted else column.kind != "text"
        url = selection.url(
            **{
                f"{self.name}.sort": ("-" if down else "") + column.key,
                f"{self.name}.page": None,
            }
        )
        arrow = ("\N{DOWNWARDS ARROW}" if falling else "\N{UPWARDS ARROW}") if is_sorted else ""
        link = tag(
            "a",
            column.title,
            tag("span", arrow, aria_hidden="true") if arrow else None,
            href=url,
            id=f"sort-{self.name}-{column.key}",
            data_keep="1",
        )
        direction = "descending" if falling else "ascending"
        return tag(
            "th",
            link,
            scope="col",
            role="columnheader",
            aria_sort=direction if is_sorted else None,
            class_=column.kind,
        )

    def _cell(self, column: Column, row: Row, *, first: bool) -> Markup:
        shown = (column.show or _SHOWN[column.kind](column.key))(row)
        label = tag("span", column.title, class_="label", aria_hidden="true")
        if first:
            return tag("th", shown, scope="row", role="rowheader", class_=column.kind)
        return tag("td", label, tag("span", shown), role="cell", class_=column.kind)

    def _search(self, selection: Selection) -> Markup:
        mine = {f"{self.name}.find", f"{self.name}.page"}
        hidden = [
            tag("input", type="hidden", name=name, value=value)
            for name, value in selection.wanted.items()
            if name not in mine
        ]
        field = tag(
            "input",
            type="search",
            name=f"{self.name}.find",
            value=selection.wanted.get(f"{self.name}.find") or None,
            placeholder="Find in this table",
            aria_label=f"Find in: {self.caption}",
            id=f"find-{self.name}",
        )
        button = tag("button", "Find", type="submit")
        return tag("form", *hidden, field, button, method="get", action="/", class_="find")

    def _foot(self, selection: Selection, found: int, page: int, pages: int) -> Markup:
        def to(number: int, text: str, name: str) -> Markup:
            if not 1 <= number <= pages:
                return tag("span", text, class_="off")
            url = selection.url(**{f"{self.name}.page": str(number)})
            return tag("a", text, href=url, id=f"{name}-{self.name}", data_keep="1")

        rows = f"{whole(found)} {'row' if found == 1 else 'rows'}"
        turn = [
            to(page - 1, "Previous", "previous"),
            tag("span", f"Page {whole(page)} of {whole(pages)}"),
            to(page + 1, "Next", "next"),
        ]
        file = tag("a", "CSV", href=selection.url(f"/csv/{self.name}"), download=f"{self.name}.csv")
        label = f"Pages of: {self.caption}"
        pager = tag("nav", *turn, aria_label=label, class_="pages") if pages > 1 else None
        return tag("div", tag("span", rows), pager, file, class_="foot")


def named(key: str, link: Callable[[str | None], str] | None = None) -> Callable[[Row], Content]:
    """Shows the text of a row, which a client sent, as a link where there is one."""

    def show(row: Row) -> Content:
        text = row[key]
        shown = tag("i", "none") if text is None else foreign(text)
        return tag("a", shown, href=link(text)) if link else shown

    return show


def titled(row: Row) -> Content:
    """The title of a catalog, as a link to its page where there is one."""
    shown = foreign(row["title"])
    return tag("a", shown, href=row["url"], rel="noreferrer") if row["url"] else shown


_SHOWN: dict[Kind, Callable[[str], Callable[[Row], Content]]] = {
    "text": lambda key: lambda row: NOTHING if row[key] is None else foreign(str(row[key])),
    "count": lambda key: lambda row: whole(row[key]),
    "decimal": lambda key: lambda row: decimal(row[key]),
    "rate": lambda key: lambda row: rate(row[key]),
    "money": lambda key: lambda row: moneys(row[key]),
}


def _order_of(column: Column) -> Callable[[Row], Any]:
    if column.kind == "money":
        # Amounts of two currencies have no order: by the currency that has the most, then by it.
        return lambda row: max((each["amount"] for each in row[column.key]), default=Decimal(0))
    if column.kind == "text":
        return lambda row: str(row[column.key]).casefold()
    return lambda row: row[column.key]


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 1


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A number of ours begins with a sign, too.
    if value.replace(".", "", 1).removeprefix("-").isdigit():
        return value
    return ("'" if value.strip(" ").startswith(_FORMULA) else "") + printable(value)


def is_of_a_table(parameter: str, tables: Collection[str]) -> bool:
    """Whether an address chooses by it what one of `tables` shows."""
    table, _, part = parameter.partition(".")
    return table in tables and part in _PARAMETERS
