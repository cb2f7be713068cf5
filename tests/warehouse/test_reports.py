"""Orders that several report, and strangers' (A9, A11, P1-P3), as a data team sees them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import Log, cart, click, make_event, purchase
from warehouse_fixture import Warehouse

MODELS = ("first", "last", "linear", "position", "time_decay")
SERVER = {"device": "s:hook", "sender": "server"}


def bought(number: int, price: str, **fields: Any) -> dict[str, Any]:
    """A purchase of one product."""
    line = {"product_id": 1, "price": price}
    return purchase(number / 1000, line, order_id=f"{number}", **fields)


def revenue(warehouse: Warehouse) -> list[tuple[str, Decimal]]:
    return warehouse.rows(
        "SELECT store_id, sum(gross_revenue) FROM revenue GROUP BY ALL ORDER BY ALL"
    )


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_a11_nobody_owns_a_strangers_orders(
    warehouse: Warehouse, *, is_trusted: bool, is_first: bool
) -> None:
    log = Log(warehouse.rules)
    orders = range(1002, 1102)
    stranger = [
        log.send(bought(number, "0.01"), device="d:stranger")
        for number in (orders if is_first else ())
    ]
    shop = [log.send(bought(number, "50"), is_trusted=is_trusted, **SERVER) for number in orders]
    if not is_first:
        stranger = [log.send(bought(number, "0.01"), device="d:stranger") for number in orders]
    warehouse.load([*stranger, *shop] if is_first else [*shop, *stranger])
    assert warehouse.broken() == {}
    disputed = warehouse.rows("SELECT count(*), sum(counted) FROM disputed_orders")
    if is_trusted:
        assert revenue(warehouse) == [("store", Decimal(5000))]
        assert disputed == [(100, Decimal(5000))]
    else:
        # The shopper's sight counts before a server's: only the view tells.
        assert disputed == [(100, Decimal(1))]


def disputed(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return warehouse.rows(
        "SELECT order_id, currency, len(reports), counted FROM disputed_orders ORDER BY ALL"
    )


def test_a11_an_order_in_one_event_per_line_is_not_disputed(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    one, two = {"product_id": 1, "price": "1"}, {"product_id": 2, "price": "2"}
    warehouse.load(
        [
            log.send(purchase(0, one, order_id="A"), purchase(0, two, order_id="A")),
            log.send(purchase(1, one, two, order_id="A"), **SERVER),
        ]
    )
    assert disputed(warehouse) == []


def test_a11_an_order_with_a_strangers_product_is_disputed(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    one, two = {"product_id": 1, "price": "1"}, {"product_id": 2, "price": "2"}
    warehouse.load(
        [
            log.send(purchase(0, one, order_id="A")),
            log.send(purchase(1, two, order_id="A"), device="d:stranger"),
        ]
    )
    assert disputed(warehouse) == [("A", "USD", 2, Decimal(3))]


def test_a11_an_order_with_a_line_that_no_server_confirms_is_disputed(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    one, unpriced = {"product_id": 1, "price": "1"}, {"product_id": 2}
    warehouse.load(
        [
            log.send(purchase(0, unpriced, order_id="A")),
            log.send(purchase(1, one, order_id="A"), is_trusted=True, **SERVER),
        ]
    )
    assert disputed(warehouse) == [("A", "USD", 1, Decimal(1))]


def test_a10_the_amounts_of_a_disputed_order_stay_in_their_currency(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    one, two = {"product_id": 1, "price": "1"}, {"product_id": 2, "price": "2"}
    warehouse.load(
        [
            log.send(
                purchase(0, one, order_id="A", currency="EUR"),
                purchase(0, two, order_id="A", currency="USD"),
            ),
            log.send(purchase(1, one, order_id="A", currency="JPY"), device="d:other"),
        ]
    )
    assert disputed(warehouse) == [
        ("A", "EUR", 1, Decimal(1)),
        ("A", "JPY", 1, None),
        ("A", "USD", 1, Decimal(2)),
    ]


@pytest.mark.parametrize("webhook_first", [True, False])
def test_a9_attribution_survives_the_webhook(warehouse: Warehouse, *, webhook_first: bool) -> None:
    log = Log(warehouse.rules)
    line = {"product_id": 1, "price": "100"}
    pixel = log.send(click(0), purchase(5, line, order_id="A", attribution_token="token"))
    hook = log.send(purchase(5, line, order_id="A", ms=-500), **SERVER)
    warehouse.load([pixel])
    warehouse.load([hook])
    if webhook_first:
        warehouse.clear()
        log = Log(warehouse.rules)
        warehouse.load([log.send(purchase(5, line, order_id="A", ms=-500), **SERVER)])
        warehouse.load(
            [log.send(click(0), purchase(5, line, order_id="A", attribution_token="token"))]
        )
    assert warehouse.broken() == {}
    found = warehouse.rows("""
        SELECT model, attribution_token, sum(attributed_revenue) FROM attribution_models
        WHERE attributed_revenue <> 0 GROUP BY ALL ORDER BY ALL
    """)
    assert found == [(model, "token", Decimal(100)) for model in MODELS]


def test_a9_orders_of_sessions_days_and_devices_are_the_distinct_orders(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    lines = [{"product_id": 1, "price": "20"}, {"product_id": 2, "price": "5"}]
    warehouse.load(
        [
            log.send(purchase(0, lines[0], order_id="A"), device="d:one"),
            # The same order's other line, by another device and a day later.
            log.send(purchase(24 * 60, lines[1], order_id="A"), device="d:two"),
            log.send(purchase(24 * 60, *lines, order_id="A"), **SERVER),
            log.send(purchase(24 * 60 + 1, lines[0], order_id="B"), device="d:two"),
        ]
    )
    assert warehouse.broken() == {}
    distinct = "SELECT count(DISTINCT order_id) FROM order_lines"
    for counted in (
        "SELECT sum(orders) FROM sessions",
        "SELECT sum(session_orders) FROM daily_sessions",
        "SELECT sum(session_orders) FROM funnel",
    ):
        assert warehouse.rows(counted) == warehouse.rows(distinct) == [(2,)], counted


def test_p3_revenue_funnel_and_campaigns_leave_out_the_same(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    outcomes = [
        log.send(make_event(minute=0), cart(1), bought(2000, "7"), device="d:person"),
        log.send(bought(3000, "11"), **SERVER),
        log.send(bought(4000, "900"), device="d:bot", is_bot=True),
        log.send(bought(5000, "800"), device="d:person", is_bot=True),
        log.send(bought(6000, "700"), device="d:ahead", sender="prefetch"),
    ]
    warehouse.load(outcomes)
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT gross_revenue FROM revenue") == [(Decimal(18),)]
    assert warehouse.rows("SELECT sum(session_gross_revenue) FROM campaigns") == [(Decimal(18),)]
    assert warehouse.rows("SELECT sessions, bought, session_orders FROM funnel") == [(1, 1, 2)]
    assert warehouse.rows("SELECT sessions FROM campaigns WHERE currency IS NULL") == [(1,)]
    assert warehouse.rows("SELECT bot_events, prefetched_events FROM traffic") == [(2, 1)]
    assert warehouse.rows(
        "SELECT received_server_events, received_prefetched_events FROM quality"
    ) == [(1, 1)]


def test_quality_names_what_was_repaired_and_ignored_by_field(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    repairs = ["items.price: rounded", "items.price: rounded", "variant_id: unreadable"]
    warehouse.load([log.send(bought(1, "7", repairs=repairs), bought(2, "7", repairs=repairs[:1]))])
    found = warehouse.rows(
        "SELECT field, outcome, reason, field_events FROM quality_fields ORDER BY field"
    )
    assert found == [
        ("items.price", "repaired", "rounded", 2),
        ("variant_id", "ignored", "unreadable", 1),
    ]
    assert warehouse.rows("SELECT repaired_events FROM quality") == [(2,)]
