"""What views leave out of visits and traffic, and where they still count it (P2, P3, A11)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from factories import Log, make_event, purchase, visit
from warehouse_fixture import Warehouse

HOOK = {"device": "s:hook", "sender": "server"}

VIEWS = [
    "FROM traffic SELECT * EXCLUDE (bot_events, prefetched_events)",
    "FROM products",
    "FROM tokens",
    "FROM kpis",
    "FROM funnel",
    "FROM session_days",
    "FROM campaigns",
    "FROM revenue",
    "FROM attribution",
    "FROM attribution_products",
    "FROM attribution_models SELECT * EXCLUDE (bot_conversions)",
]


@pytest.mark.parametrize("view", VIEWS, ids=[view.split()[1] for view in VIEWS])
def test_p3_what_was_prefetched_changes_no_figure(warehouse: Warehouse, view: str) -> None:
    log = Log(warehouse.rules)
    visit(log, "visitor")
    warehouse.load(log.outcomes)
    before = warehouse.rows(f"{view} ORDER BY ALL")
    assert before
    visit(log, "prefetch")
    warehouse.load(log.outcomes[1:])
    assert warehouse.broken() == {}
    assert warehouse.rows(f"{view} ORDER BY ALL") == before


def test_p3_what_a_bot_prefetches_is_counted_once_beside_the_traffic(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    visit(log, "bot")
    visit(log, "bot's prefetch")
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT events, bot_events, prefetched_events FROM traffic") == [
        (0, 5, 5)
    ]


def test_p2_a_report_is_no_visit_and_its_order_counts(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(make_event(minute=0), device="d:bouncing")
    visit(log, "visitor")
    log.send(purchase(5, {"product_id": 1, "price": "7"}, order_id="A"), **HOOK)
    warehouse.load(log.outcomes)
    assert warehouse.broken() == {}
    assert warehouse.rows(
        "SELECT sessions, bought, session_orders, conversion_rate FROM funnel"
    ) == [(2, 1, 2, 0.5)]
    assert warehouse.rows("SELECT sessions, conversion_rate FROM session_days") == [(2, 0.5)]
    assert warehouse.rows("SELECT sum(sessions), sum(converted) FROM campaigns") == [(2, 1)]
    assert warehouse.rows("SELECT sum(session_gross_revenue) FROM campaigns") == [(Decimal(17),)]


def test_a11_orders_are_disputed_where_reports_disagree_or_a_line_is_unconfirmed(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    one, other = {"product_id": 1, "price": "10"}, {"product_id": 2, "price": "10"}
    for order, line in (("agrees", one), ("unconfirmed", other)):
        log.send(purchase(0, line, order_id=order), device="d:device")
        log.send(purchase(1, one, order_id=order), device="d:hook", is_trusted=True)
    warehouse.load(log.outcomes)
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT order_id, counted, is_unconfirmed FROM disputed_orders") == [
        ("unconfirmed", Decimal(10), True)
    ]


def test_a11_an_unconfirmed_line_is_no_purchase_of_its_product_token_or_kpi(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    log.send(
        make_event("product_impression", 0, product_id=2, position=1, attribution_token="token"),
        purchase(1, {"product_id": 2, "price": "10"}, order_id="A", attribution_token="token"),
    )
    log.send(purchase(2, {"product_id": 1, "price": "10"}, order_id="A"), is_trusted=True, **HOOK)
    warehouse.load(log.outcomes)
    assert warehouse.broken() == {}
    products = "SELECT product_id, order_lines FROM products ORDER BY ALL"
    assert warehouse.rows(products) == [(1, 1), (2, 0)]
    assert warehouse.rows("SELECT token_order_lines FROM tokens") == [(0,)]
    kpis = "SELECT blended_order_lines FROM kpis WHERE grain = 'token'"
    assert warehouse.rows(kpis) == [(0,)]
