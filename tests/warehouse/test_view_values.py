"""Each view's numbers on a small world, written out: no two measures of it are alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import MINUTE, MORNING, Log, cart, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.topics import Rejected
from pipeline.warehouse.queries import ask

TOKEN = {"attribution_token": "token"}
HOUR = 60


def world(log: Log) -> None:
    """Two people on one day, in one store: one looks and buys, the other sees one thing."""
    impressions = [
        make_event("product_impression", minute / 10, position=1, **TOKEN) for minute in range(5)
    ]
    bought = purchase(
        9,
        {"product_id": 1, "quantity": 3, "price": "10", **TOKEN},
        {"product_id": 2, "quantity": 4, "price": "2.5"},
        order_id="A",
    )
    log.send(
        *impressions,
        *(click(1 + minute) for minute in range(3)),
        cart(5, "token", quantity=6),
        cart(6, "token", quantity=7),
        bought,
        device="d:buyer",
    )
    log.send(make_event("search", 2, query="hat", product_id=None), device="d:looker")
    refund = purchase(12, {"product_id": 1, "quantity": 1, "price": "10"}, order_id="A")
    log.send(
        {**refund, "event_type": "refund", "refund_id": "R", "currency": None}, device="d:buyer"
    )


VALUES: dict[str, list[tuple[Any, ...]]] = {
    """SELECT sessions, converted, session_gross_revenue FROM campaigns
        ORDER BY currency NULLS FIRST""": [
        (2, 1, None),
        (0, 0, Decimal(40)),
    ],
    """SELECT product_id, product_impressions, product_clicks, product_views, add_to_carts,
        order_lines, units FROM products ORDER BY product_id""": [
        (1, 5, 3, 0, 2, 1, 3),
        (2, 0, 0, 0, 0, 1, 4),
    ],
    """SELECT product_id, conversion_type, conversions, conversion_units, attributed_revenue
        FROM attribution_products ORDER BY ALL""": [
        (1, "add_to_cart", 2, 13, None),
        (1, "purchase", 1, 3, Decimal(30)),
        (2, "purchase", 1, 4, Decimal(10)),
    ],
    "SELECT currency, gross_revenue, priced_units, priced_order_lines FROM revenue": [
        ("USD", Decimal(40), 7, 2)
    ],
    "SELECT events, searches, product_impressions, product_clicks, add_to_carts FROM traffic": [
        (13, 1, 5, 3, 2)
    ],
    """SELECT sessions, events_per_session, epoch_ms(mean_duration), bounce_rate, conversion_rate
        FROM session_days""": [(2, 6.5, 6 * MINUTE, 0.5, 0.5)],
    "SELECT product_id, quantity, currency, amount, state, taken, over FROM refunds": [
        (1, 1, "USD", Decimal(10), "counted", Decimal(10), Decimal(0))
    ],
}


@pytest.mark.parametrize(
    "query", VALUES, ids=[query.split("FROM ")[1].split()[0] for query in VALUES]
)
def test_a_view_has_the_right_numbers(warehouse: Warehouse, query: str) -> None:
    log = Log(warehouse.rules)
    world(log)
    warehouse.load(log.outcomes)
    assert warehouse.rows(query) == VALUES[query]


def test_b1_each_line_without_a_token_counts_on_its_own(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    lines = ({"product_id": number, "price": f"{number}0"} for number in (1, 2))
    log.send(make_event("search", 0, query="hat", product_id=None, **TOKEN), purchase(1, *lines))
    warehouse.load(log.outcomes)
    kpis = "SELECT blended_order_lines FROM kpis WHERE grain = 'token'"
    assert warehouse.rows(kpis) == [(Decimal(2),)]
    assert warehouse.rows("SELECT blended_revenue FROM kpi_revenue WHERE grain = 'token'") == [
        (Decimal(30),)
    ]


def test_b4_each_rate_is_of_its_own_action(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(
        *(make_event("product_impression", 0, position=place, **TOKEN) for place in range(1, 9)),
        *(click(1) for _ in range(4)),
        *(cart(2, "token") for _ in range(2)),
        purchase(3, {"product_id": 1, "price": "10", **TOKEN}),
    )
    warehouse.load(log.outcomes)
    assert warehouse.rows(
        """SELECT blended_impressions, click_through_rate, add_to_cart_rate, purchase_rate FROM kpis
            WHERE grain = 'product'"""
    ) == [(8, 0.5, 0.25, 0.125)]


def test_quality_counts_each_oddity_separately(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    now = MORNING + 3 * HOUR * MINUTE
    log.send(make_event("search", 3 * HOUR, query="x"), device="d:clock", received_at=now)
    for number in range(2):
        log.send(make_event("search", number, query="x"), device="d:late", received_at=now)
    for number in range(3):
        skewed = make_event("search", 9 * HOUR + number, query="x")
        log.send(skewed, device="d:ahead", received_at=now)
    warehouse.load(log.outcomes)
    warehouse.load_rejected(
        Rejected(store_id="store", received_at=now, index=0, reason="x", detail="", raw="{}")
        for _ in range(4)
    )
    assert warehouse.rows(
        "SELECT received_events, late_events, clock_skewed_events, rejected_events FROM quality"
    ) == [(6, 2, 3, 4)]


@pytest.mark.parametrize(("currency", "places"), [("KRW", 0), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_a10_a_currency_has_the_decimal_places_of_iso_4217(
    warehouse: Warehouse, currency: str, places: int
) -> None:
    query = f"SELECT places FROM currencies WHERE currency = '{currency}'"
    assert warehouse.rows(query) == [(places,)]


def test_the_query_kpis_compares_with_the_period_before(warehouse: Warehouse) -> None:
    """A day of 8 impressions, 4 clicks, 2 carts, 1 purchase, after one of 4, 1, 0 and 2."""
    log = Log(warehouse.rules)
    line = {"product_id": 1, "price": "10", **TOKEN}
    for start, shown, clicks, carts, purchases in ((0, 4, 1, 0, 2), (24 * HOUR, 8, 4, 2, 1)):
        log.send(
            *(
                make_event("product_impression", start, position=place, **TOKEN)
                for place in range(1, shown + 1)
            ),
            *(click(start + 1) for _ in range(clicks)),
            *(cart(start + 2, "token") for _ in range(carts)),
            *(purchase(start + 3, line, order_id=f"{start}.{n}") for n in range(purchases)),
        )
    warehouse.load(log.outcomes)
    ((first,),) = warehouse.rows("SELECT CAST(max(occurred_at) AS DATE) FROM events")
    asked = {"grain": "product", "first": str(first), "last": str(first)}
    answer = ask(warehouse.connection, "kpis", asked)
    (row,) = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    assert row == {
        "store_id": "store",
        "name": "1",
        "blended_impressions": 8,
        "blended_clicks": 4,
        "blended_add_to_carts": 2,
        "blended_order_lines": 1,
        "click_through_rate": 0.5,
        "add_to_cart_rate": 0.25,
        "purchase_rate": 0.125,
        "impressions_change": 1.0,
        "clicks_change": 3.0,
        "order_lines_change": -0.5,
        "click_through_rate_change": 1.0,
        "purchase_rate_change": -0.75,
    }
