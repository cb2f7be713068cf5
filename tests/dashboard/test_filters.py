"""The URL says what is shown; what it cannot show is said, and nothing else is shown instead."""

from __future__ import annotations

import re
from html import unescape

import pytest
from dashboard_shop import TODAY, YESTERDAY, Served
from page_text import section, text_of, tile


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"store": "nobody"}, "There are no events of a store “nobody”."),
        ({"last": "yesterday"}, "“yesterday” is not a day: write it as 2026-07-01."),
        ({"last": "0001-01-01"}, "0001-01-01 is not between 1970 and 2999."),
        ({"last": "2024-01-01"}, "atelier has no events from 2024-01-01 to 2024-01-01"),
        ({"first": TODAY, "last": YESTERDAY}, f"The first day, {TODAY}, is after"),
        ({"first": TODAY, "days": "7"}, "The address has a first day and a number of days"),
        ({"days": "1e9"}, "“1e9” is no number of days from 1 to 366."),
        ({"days": "0"}, "“0” is no number of days from 1 to 366."),
        ({"days": "9" * 5000}, "is no number of days from 1 to 366."),
        ({"days": "0366999999"}, "is no number of days from 1 to 366."),
        ({"first": "2020-01-01", "last": TODAY}, "is longer than 366 days"),
        ({"compare": "moon"}, "compare=moon is none of: before, week, year."),
        ({"chart": "moon"}, "chart=moon is none of:"),
        ({"by": "hour", "days": "8"}, "Hours are shown for at most 7 days."),
        ({"model": "moon"}, "model=moon is none of:"),
        ({"bots": "only"}, "bots=only is none of: beside, no."),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, dict) else given[:20],
)
def test_what_cannot_be_shown_is_said(shop: Served, wanted: dict[str, str], said: str) -> None:
    answer = shop.ask(**wanted)
    assert answer.status == 404
    assert said in text_of(answer.text)
    assert 'class="tile"' not in answer.text
    for path in ("/section/totals", "/csv/by-device"):
        refused = shop.ask(path, **wanted)
        assert (refused.status, said in refused.text) == (404, True)


def test_a_filter_that_chooses_nothing_is_said(shop: Served) -> None:
    page = shop.get(store="atelier", campaign="autumn")
    assert "No session of these days has the campaign “autumn”." in text_of(page)
    assert tile(page, "Orders").startswith("0")
    assert "autumn" in section(f'<section id="x">{page}</section>', "x")


@pytest.mark.parametrize(
    ("name", "value", "orders", "gross"),
    [
        ("campaign", "spring", "1", "150.00 USD"),
        ("campaign", "-", "1", "5,000 JPY"),
        ("source", "google", "1", "150.00 USD"),
        ("device", "mobile", "2", "150.00 USD"),
        ("country", "DE", "2", "150.00 USD"),
        ("channel", "web", "2", "150.00 USD"),
        ("country", "-", "0", "\N{EN DASH}"),
    ],
)
def test_each_filter_chooses_sessions_and_their_orders(
    shop: Served, name: str, value: str, orders: str, gross: str
) -> None:
    page = shop.get(store="atelier", compare="week", **{name: value})
    assert tile(page, "Orders").split()[0] == orders
    assert gross in tile(page, "Gross revenue")


def test_filters_reach_what_sessions_were_shown(shop: Served) -> None:
    page = shop.get(store="atelier", campaign="spring", whole="1")
    assert "linen Searches 1 " in section(page, "searches")
    assert "wool" not in section(page, "searches")
    assert "1 Impressions 1 " in section(page, "products")
    assert "other" not in section(page, "tokens")


def test_a_section_that_no_filter_reaches_says_so(shop: Served) -> None:
    said = "Not filtered: of the store and its days alone."
    page = shop.get(store="atelier", campaign="spring", whole="1")
    found = re.findall(r'<section id="([a-z]+)"', page)
    assert {name for name in found if said in section(page, name)} == {
        "attribution",
        "models",
        "quality",
    }
    assert said not in shop.get(store="atelier", whole="1")


def test_refunds_follow_the_session_of_their_order(shop: Served) -> None:
    assert "25.00 USD" in tile(shop.get(store="atelier", device="mobile"), "Refunds")
    # Order 1 has no campaign.
    assert tile(shop.get(store="atelier", campaign="spring"), "Refunds").startswith("0.00 USD")


def test_all_stores_are_shown_together_and_each_row_leads_to_one(shop: Served) -> None:
    page = shop.get(store="*")
    assert tile(page, "Orders").startswith("4")
    stores = section(page, "stores")
    assert "atelier Sessions 4 Orders 2" in stores
    assert "kiosk Sessions 4 Orders 2" in stores
    assert 'href="/?store=kiosk"' in page
    assert 'id="stores"' not in shop.get(store="atelier")


def test_a_row_leads_to_the_page_of_its_value_and_keeps_the_rest(shop: Served) -> None:
    page = shop.get(store="atelier", last=TODAY, chart="orders")
    links = [unescape(link) for link in re.findall(r'href="([^"]*)"', page)]
    rest = f"/?store=atelier&last={TODAY}&chart=orders"
    assert f"{rest}&campaign=spring" in links
    assert f"{rest}&campaign=-" in links
    assert f"{rest}&source=google" in links
    assert f"{rest}&country=DE" in links


def test_spans_lead_on_without_naming_a_day(shop: Served) -> None:
    page = shop.get(store="atelier", first=YESTERDAY, last=YESTERDAY)
    assert 'href="/?store=atelier&amp;days=7"' in page
    earlier = re.search(r'href="([^"]*)" id="span-earlier"', page)
    assert earlier is not None
    assert unescape(earlier[1]) == "/?store=atelier&first=2025-11-22&last=2025-11-22"
