"""Bots are flagged, never deleted: each view excludes them or counts them separately (Bots)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import MORNING, Log, cart, click, make_event, purchase, visit
from warehouse_fixture import Warehouse

# The measures of each view for one visitor.
PEOPLE: dict[str, list[tuple[Any, ...]]] = {
    "SELECT sum(conversions), sum(conversion_units), sum(attributed_revenue) FROM attribution": [
        (2, 2, Decimal(10))
    ],
    """SELECT sum(conversions), sum(conversion_units), sum(attributed_revenue)
        FROM attribution_products""": [(2, 2, Decimal(10))],
    "SELECT sum(sessions), sum(converted), sum(session_gross_revenue) FROM campaigns": [
        (1, 1, Decimal(10))
    ],
    """SELECT sessions, saw_products, clicked, viewed_a_product, added_to_cart, bought,
        session_orders, conversion_rate FROM funnel""": [(1, 1, 1, 1, 1, 1, 1, 1.0)],
    """SELECT product_impressions, product_clicks, product_views, add_to_carts, order_lines, units,
        clicks_per_impression FROM products""": [(1, 1, 1, 1, 1, 1, 1.0)],
    "SELECT currency, gross_revenue, priced_units, priced_order_lines FROM revenue": [
        ("USD", Decimal(10), 1, 1)
    ],
    "SELECT sessions, events_per_session, bounce_rate, conversion_rate FROM session_days": [
        (1, 5.0, 0.0, 1.0)
    ],
    """SELECT attribution_token, token_impressions, token_clicks, token_add_to_carts,
        token_order_lines, token_clicks_per_impression FROM tokens""": [("token", 1, 1, 0, 0, 1.0)],
    """SELECT events, product_impressions, product_clicks, product_views, add_to_carts,
        purchase_events FROM traffic""": [(5, 1, 1, 1, 1, 1)],
}


@pytest.mark.parametrize("query", PEOPLE)
def test_a_bot_changes_no_figures_of_people(warehouse: Warehouse, query: str) -> None:
    log = Log(warehouse.rules)
    visit(log)
    visit(log, "bot")
    warehouse.load(log.outcomes)
    assert warehouse.rows(query) == PEOPLE[query]


def test_bots_are_counted_separately(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    visit(log)
    visit(log, "bot")
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT bot_events FROM traffic") == [(5,)]
    assert warehouse.rows("SELECT received_events, received_bot_events FROM quality") == [(10, 5)]


def test_a_product_that_was_never_shown_has_no_rate(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(click(0))
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT product_clicks, clicks_per_impression FROM products") == [
        (1, None)
    ]
    assert warehouse.rows("SELECT token_clicks, token_clicks_per_impression FROM tokens") == [
        (1, None)
    ]


def test_quality_distinguishes_a_conflict_from_an_exact_repeat(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    event = make_event(event_id="same")
    log.send(event, received_at=MORNING)
    log.send(event, received_at=MORNING)
    log.send(make_event(minute=1, event_id="same"), received_at=MORNING)
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT duplicates, conflicts FROM quality") == [(2, 1)]


def test_s5_a_session_is_of_the_day_it_starts_on(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(make_event(minute=7 * 60 + 50), make_event(minute=8 * 60 + 10))  # around 00:00 UTC
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT sessions, day FROM session_days") == warehouse.rows(
        "SELECT 1, CAST(min(occurred_at) AS DATE) FROM events"
    )


def test_neither_refunds_nor_repeats_are_purchases(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    line = {"product_id": 1, "price": "10", "attribution_token": "token"}
    log.send(purchase(0, line, order_id="A"), device="d:pixel")
    log.send(purchase(1, line, order_id="A"), device="d:webhook")
    refund = purchase(2, line, order_id="A", refund_id="R")
    log.send({**refund, "event_type": "refund"})
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT order_lines, units FROM products") == [(1, 1)]
    assert warehouse.rows("SELECT token_order_lines FROM tokens") == [(1,)]
    assert warehouse.rows("SELECT gross_revenue, priced_order_lines FROM revenue") == [
        (Decimal(10), 1)
    ]


def test_a4_an_orphan_is_credited_to_its_own_token(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(cart(0, "unseen"))
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT match, attribution_token FROM attribution") == [
        ("orphan", "unseen")
    ]
    assert warehouse.rows(
        "SELECT DISTINCT attribution_token FROM attribution_models WHERE conversions > 0"
    ) == [("unseen",)]
