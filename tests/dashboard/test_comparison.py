"""Days are compared with days that had the same time to make their figures."""

from __future__ import annotations

import json
import re
from html import unescape

from dashboard_shop import TODAY, YESTERDAY, Served
from page_text import section, text_of, tile


def points(page: str) -> list[str]:
    found = re.search(r'data-points="([^"]*)"', page)
    assert found is not None
    return [str(each).replace("\N{NO-BREAK SPACE}", " ") for each in json.loads(unescape(found[1]))]


def test_an_unfinished_day_is_compared_with_the_same_hours(shop: Served) -> None:
    page = shop.get(store="atelier")
    # Not with 140.00: 40.00 of it came in the evening, after 16:30.
    assert "150.00 USD ↑ up 50.0 % from 100.00 USD" in tile(page, "Gross revenue")
    assert tile(page, "Orders") == "2 ↑ up 100.0 % from 1"
    totals = section(page, "totals")
    assert "The last day is unfinished: figures until 16:30." in totals
    assert "the day before, Sun 23 Nov 2025 up to the same time of day" in totals


def test_a_finished_day_is_compared_with_the_whole_day_before(shop: Served) -> None:
    page = shop.get(store="atelier", first=YESTERDAY, last=YESTERDAY)
    assert tile(page, "Gross revenue") == "140.00 USD from 0.00 USD"
    assert tile(page, "Sessions") == "2 ↑ up 100.0 % from 1"
    assert "unfinished" not in section(page, "totals")


def test_days_before_the_first_event_are_not_compared_with(shop: Served) -> None:
    page = shop.get(store="atelier", compare="week")
    assert tile(page, "Orders") == "2 no data before"
    assert "No comparison with the week before: the first events are of Sat 22 Nov 2025" in section(
        page, "totals"
    )
    assert tile(shop.get(store="atelier", compare="year"), "Orders") == "2 no data before"
    # Of two days before, one has no data.
    assert tile(shop.get(store="atelier", days="2"), "Orders") == "4 no data before"


def test_the_last_day_of_several_is_cut_in_the_days_compared_with(shop: Served) -> None:
    page = shop.get(store="atelier", first=YESTERDAY, last=TODAY, compare="before", chart="orders")
    assert points(page)[-1] == "Mon 24 Nov 2025: 2 so far"
    page = shop.get(store="atelier", chart="orders", by="day")
    assert points(page) == ["Mon 24 Nov 2025: 2 so far; Sun 23 Nov 2025: 1"]


def test_hours_are_beside_the_same_hours_and_those_to_come_are_empty(shop: Served) -> None:
    found = points(shop.get(store="atelier", chart="orders"))
    assert len(found) == 24
    assert found[10] == "Mon 24 Nov 2025, 10:00: 2; Sun 23 Nov 2025: 1"
    assert found[16] == "Mon 24 Nov 2025, 16:00: 0 so far; Sun 23 Nov 2025: 0"
    assert found[21] == "Mon 24 Nov 2025, 21:00: \N{EN DASH}; Sun 23 Nov 2025: 1"


def test_every_measure_of_the_chart_has_a_table_behind_it(shop: Served) -> None:
    for chart, value in {
        "revenue": "150.00 USD",
        "orders": "2",
        "sessions": "4",
        "conversion": "50.0 %",
        "searches": "3",
        "events": "14",
    }.items():
        page = shop.get(store="atelier", chart=chart, by="day", currency="USD")
        assert points(page)[0].startswith(f"Mon 24 Nov 2025: {value} so far"), chart
        table = re.search(r'<details id="trend-table".*?</details>', page, re.DOTALL)
        assert table is not None
        assert f"Mon 24 Nov 2025 {value} so far" in text_of(table[0])


def test_each_currency_has_a_chart_of_its_own(shop: Served) -> None:
    page = shop.get(store="atelier", currency="JPY", by="day")
    assert points(page) == ["Mon 24 Nov 2025: 5,000 JPY so far; Sun 23 Nov 2025: 0 JPY"]
    page = shop.get(store="atelier", currency="USD", by="day")
    assert points(page) == ["Mon 24 Nov 2025: 150.00 USD so far; Sun 23 Nov 2025: 100.00 USD"]
