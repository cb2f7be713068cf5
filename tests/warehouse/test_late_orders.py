"""Orders and their money when late events change sessions and conversions (A9-A11, T7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import Log, all_before_is_late, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.domain.outcomes import Outcome

SESSIONS = "SELECT events, orders FROM sessions WHERE device_key = 'd:device' ORDER BY started_at"
REVENUE = """
    SELECT revenue, lines FROM session_revenue JOIN sessions USING (session_key)
    WHERE device_key = 'd:device'
"""
CONVERTED = """
    SELECT match, revenue, is_counted FROM conversion_facts WHERE device_key = 'd:device'
"""


def sold(minute: float, order_id: str, price: str = "10", **fields: Any) -> dict[str, Any]:
    return purchase(minute, {"product_id": 1, "price": price}, order_id=order_id, **fields)


def confirmed(log: Log, minute: float, order_id: str, price: str) -> Outcome:
    """The report of a server that a store trusts."""
    event = sold(minute, order_id, price)
    return log.send(event, device="s:server", sender="server", is_trusted=True)


def test_a9_a_merged_session_has_the_orders_and_the_revenue_of_both(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(0, "A")), log.send(sold(60, "B")), all_before_is_late(log, 100)])
    warehouse.load([log.send(make_event(minute=30))])
    assert warehouse.rows(SESSIONS) == [(3, 2)]
    assert warehouse.rows(REVENUE) == [(Decimal(20), 2)]
    assert warehouse.broken() == {}


@pytest.mark.parametrize("late", [True, False], ids=["late", "on time"])
def test_p2_a_persons_event_leaves_the_orders_of_a_bot_behind(
    warehouse: Warehouse, *, late: bool
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(0, "A"), is_bot=True)])
    if late:
        warehouse.load([all_before_is_late(log, 100)])
    warehouse.load([log.send(make_event(minute=10))])
    assert warehouse.rows(SESSIONS) == [(2, 0)]
    assert warehouse.rows(REVENUE) == []
    assert warehouse.broken() == {}


@pytest.mark.parametrize("late", [[], [make_event(minute=10)]], ids=["alone", "and grows"])
def test_a9_a_session_loses_the_order_that_another_device_reports_better(
    warehouse: Warehouse, late: list[dict[str, Any]]
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(0, "A"), sold(1, "B"), sender="server")])
    warehouse.load([all_before_is_late(log, 100)])
    warehouse.load(
        [
            *(log.send(event, sender="server") for event in late),
            log.send(sold(170, "A"), device="d:shopper"),
        ]
    )
    assert warehouse.rows(SESSIONS) == [(2 + len(late), 1)]
    assert warehouse.rows(REVENUE) == [(Decimal(10), 1)]
    assert warehouse.broken() == {}
    warehouse.load([log.send(sold(171, "B"), device="d:shopper")])
    assert warehouse.rows(SESSIONS) == [(2 + len(late), 0)]
    assert warehouse.rows(REVENUE) == []
    assert warehouse.broken() == {}


@pytest.mark.parametrize("late", [True, False], ids=["late", "on time"])
def test_a11_a_restated_purchase_keeps_the_money_of_its_order(
    warehouse: Warehouse, *, late: bool
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(50, "A")), confirmed(log, 51, "A", "7")])
    if late:
        warehouse.load([all_before_is_late(log, 100)])
    warehouse.load([log.send(click(40, "red"))])
    assert warehouse.rows(CONVERTED) == [("carried", Decimal(7), True)]
    assert warehouse.broken() == {}


def test_a11_a_purchase_restated_and_confirmed_at_once_has_the_new_money(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(50, "A")), all_before_is_late(log, 100)])
    warehouse.load([log.send(click(40, "red")), confirmed(log, 170, "A", "7")])
    assert warehouse.rows(CONVERTED) == [("carried", Decimal(7), True)]
    assert warehouse.broken() == {}


def test_a9_a_restated_purchase_that_does_not_count_goes_on_not_counting(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(50, "A"), sender="server")])
    warehouse.load([log.send(sold(51, "A"), device="d:shopper"), all_before_is_late(log, 100)])
    warehouse.load([log.send(click(40, "red"))])
    assert warehouse.rows(CONVERTED) == [("carried", Decimal(10), False)]
    assert warehouse.broken() == {}


def test_a9_of_an_event_with_two_times_the_line_of_one_counts_otherwise(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    # The stream has forgotten the event when it comes again, between lines that count otherwise.
    first, second = (sold(at, name, event_id="same") for at, name in ((0, "A"), (25, "B")))
    warehouse.load([log.send(first, sender="server"), all_before_is_late(log, 10)])
    warehouse.load([log.send(second, sold(50, "C"), sender="server")])
    warehouse.load([log.send(sold(55, "A"), sold(56, "C"), device="d:shopper")])
    assert warehouse.rows("SELECT order_id, is_counted FROM order_lines ORDER BY occurred_at") == [
        ("A", False),
        ("B", True),
        ("C", False),
        ("A", True),
        ("C", True),
    ]
    assert warehouse.broken() == {}


def test_a9_two_sessions_that_grow_at_once_keep_each_its_own_orders(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(sold(0, "A")), log.send(sold(60, "B"))])
    warehouse.load([log.send(make_event(minute=10), make_event(minute=70))])
    assert warehouse.rows(SESSIONS) == [(2, 1), (2, 1)]
    assert warehouse.rows(REVENUE) == [(Decimal(10), 1), (Decimal(10), 1)]
    assert warehouse.broken() == {}
