"""Tables sort, are searched, have pages, and are files that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import date, time
from decimal import Decimal

import pytest
from page_text import text_of

from pipeline.dashboard.markup import together
from pipeline.dashboard.selection import Selection, Store
from pipeline.dashboard.tables import Column, Table

DAY = date(2025, 11, 24)
COLUMNS = (
    Column("name", "Name", "text"),
    Column("count", "Count"),
    Column("share", "Share", "rate"),
    Column("revenue", "Revenue", "money"),
)


def row(name: str | None, count: int, *amounts: tuple[str, str]) -> dict[str, object]:
    money = [{"currency": currency, "amount": Decimal(value)} for value, currency in amounts]
    share = count / 100 if count else None
    return {"name": name, "count": count, "share": share, "revenue": money or None}


def table(rows: list[dict[str, object]]) -> Table:
    return Table("t", "Things", COLUMNS, rows)


ROWS = [row(f"thing {n:02}", n * 7 % 25) for n in range(25)]


def shown(rows: list[dict[str, object]], **wanted: str) -> str:
    store = Store("s", DAY, DAY, DAY, time())
    given = {name.replace("_", "."): value for name, value in wanted.items()}
    return str(together(table(rows).shown(Selection(store, DAY, DAY, wanted=given))))


def first_of(text: str) -> list[str]:
    return text_of(text).split("thing ")[1:]


def test_a_page_has_ten_rows_and_leads_to_the_next() -> None:
    text = shown(ROWS)
    assert len(first_of(text)) == 10
    assert "25 rows" in text_of(text)
    assert "Page 1 of 3" in text_of(text)
    assert 'href="/?t.page=2"' in text
    assert len(first_of(shown(ROWS, t_page="3"))) == 5


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 400, "²"])
def test_a_page_that_is_none_is_the_nearest(page: str) -> None:
    assert first_of(shown(ROWS, t_page=page))


@pytest.mark.parametrize(
    ("sort", "first"), [("count", "00"), ("-count", "07"), ("name", "00"), ("-name", "24")]
)
def test_rows_are_in_the_order_of_a_column(sort: str, first: str) -> None:
    text = shown(ROWS, t_sort=sort)
    assert first_of(text)[0].startswith(first)
    direction = "descending" if sort.startswith("-") else "ascending"
    assert text.count(f'aria-sort="{direction}"') == 1


def test_a_head_sorts_the_other_way_the_second_time() -> None:
    assert 'href="/?t.sort=-count"' in shown(ROWS)
    assert 'href="/?t.sort=count"' in shown(ROWS, t_sort="-count")
    assert 'href="/?t.sort=name"' in shown(ROWS)


def test_what_is_absent_comes_last_in_either_order() -> None:
    rows = [row(None, 0), row("thing a", 1, ("5", "USD")), row("thing b", 2, ("9", "USD"))]
    for sort in ("name", "-name", "share", "-share", "revenue", "-revenue"):
        text = text_of(shown(rows, t_sort=sort))
        assert text.rindex("thing") < text.rindex("Count 0"), sort


def test_a_table_is_searched_in_any_case() -> None:
    assert "No row contains that." in text_of(shown(ROWS, t_find="sofa"))
    assert len(first_of(shown(ROWS, t_find="  ING 1 "))) == 10


def test_a_small_table_has_no_search_and_no_pages() -> None:
    text = shown(ROWS[:3])
    assert "<form" not in text
    assert "Page 1" not in text


def file_of(rows: list[dict[str, object]], **wanted: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table(rows).csv(wanted))))


def test_a_file_has_all_rows_and_a_column_for_each_currency() -> None:
    rows = [row("a", 1, ("5", "USD"), ("7.5", "JPY")), row("b", 2, ("1.234", "KWD")), row(None, 0)]
    assert file_of(rows) == [
        ["name", "count", "share", "revenue_JPY", "revenue_KWD", "revenue_USD"],
        ["a", "1", "0.01", "8", "", "5.00"],
        ["b", "2", "0.02", "", "1.234", ""],
        ["", "0", "", "", "", ""],
    ]
    assert len(file_of(ROWS)) == 26
    assert len(file_of(ROWS, **{"t.find": "thing 1"})) == 11


@pytest.mark.parametrize(
    "hostile",
    [
        '=HYPERLINK("http://evil.example","x")',
        "+1+1",
        "-1+1|cmd",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1+1",
        "\uff201",
    ],
    ids=["equals", "plus", "minus", "at", "tab", "return", "line", "space", "wide", "wide-at"],
)
def test_no_cell_of_a_file_is_a_formula(hostile: str) -> None:
    (_, (cell, *_)) = file_of([row(hostile, 1)])
    assert cell.startswith("'")
    assert len(cell.splitlines()) == 1


def test_a_number_in_a_file_stays_one() -> None:
    (_, (name, *_, amount)) = file_of([row("-12.5", 1, ("-3", "USD"))])
    assert (name, amount) == ("-12.5", "-3.00")
