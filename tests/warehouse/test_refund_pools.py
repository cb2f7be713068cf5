"""Which lines of its order a refund takes from (A8, A11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from factories import Log, click, make_event, purchase
from warehouse_fixture import Warehouse

HOOK = {"device": "s:hook", "is_trusted": True}


def line(price: str | None, **fields: Any) -> dict[str, Any]:
    named = {"product_id": 1, **fields}
    return named if price is None else {**named, "price": price}


def bought(minute: float, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return purchase(minute, *lines, order_id="O", **fields)


def refund(minute: float, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    given = {"order_id": "O", "currency": "USD", "product_id": None, **fields}
    return make_event("refund", minute, items=list(lines), **given)


def taken(warehouse: Warehouse) -> list[tuple[str, Decimal]]:
    """State of each refund line, and what it takes."""
    assert warehouse.broken() == {}
    return warehouse.rows("SELECT state, taken FROM refunds ORDER BY occurred_at, event_key, line")


def net(warehouse: Warehouse) -> dict[str | None, Decimal]:
    """Net revenue by token, of the last touch."""
    return dict(
        warehouse.rows("""
            SELECT attribution_token, sum(attributed_net_revenue) FROM attribution_models
            WHERE model = 'last' AND attributed_net_revenue <> 0 GROUP BY ALL
        """)
    )


def test_a_repeated_line_without_a_variant_makes_no_pool(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("10", variant_id=5), line("20", variant_id=6)))
    log.send(bought(1, line("30")), device="d:other")
    log.send(refund(2, line("25", variant_id=6)))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 20)]


def test_an_unconfirmed_refund_makes_no_pool_and_takes_nothing(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("10", variant_id=5), line("20", variant_id=6)), **HOOK)
    log.send(refund(1, line("7")), device="d:stranger")
    log.send(refund(2, line("25", variant_id=6)), **HOOK)
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("unconfirmed", 0), ("counted", 20)]


def test_an_unconfirmed_line_gives_nothing_back(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("99", variant_id=6), line("1", variant_id=5)), device="d:stranger")
    log.send(bought(1, line("10", variant_id=5)), **HOOK)
    log.send(refund(2, line("99", variant_id=6)), **HOOK)
    log.send(refund(3, line("10", variant_id=5)), **HOOK)
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("waiting", 0), ("counted", 10)]
    assert net(warehouse) == {}


def test_of_a_pool_an_unconfirmed_line_gives_nothing_back(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("1"), line("99")), device="d:stranger")
    log.send(bought(1, line("10")), **HOOK)
    log.send(refund(2, line("60")), **HOOK)
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 10)]
    assert net(warehouse) == {}


def test_of_a_pool_an_unconfirmed_line_before_the_confirmed_one_takes_no_credit(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("99", variant_id=6), line("1", variant_id=5)), device="d:stranger")
    log.send(bought(1, line("10", variant_id=5)), **HOOK)
    log.send(refund(2, line("10")), **HOOK)
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 10)]
    assert net(warehouse) == {}


def test_another_products_line_without_a_variant_makes_no_pool(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    lines = [line("10", variant_id=5), line("20", variant_id=6), line("40", product_id=2)]
    log.send(bought(0, *lines))
    log.send(refund(1, line("25", variant_id=6), line("40", product_id=2)))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 20), ("counted", 40)]


def test_refunds_of_other_variants_and_products_are_not_added_up(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    lines = [line("10", variant_id=5), line("10", variant_id=6), line("10", product_id=2)]
    log.send(bought(0, *lines))
    log.send(refund(1, *lines))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 10)] * 3
    assert net(warehouse) == {}


def test_without_a_price_the_first_priced_line_of_the_pool_has_it(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line(None), line("10"), line("20")))
    log.send(refund(1, line(None, quantity=2), currency=None))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 20)]


def test_without_a_price_a_confirmed_line_has_the_trusted_one(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("0.01")), device="d:stranger")
    log.send(bought(1, line("10")), **HOOK)
    log.send(refund(2, line(None), currency=None), **HOOK)
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 10)]


def test_a_pool_of_two_currencies_gives_each_its_own(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(bought(0, line("10", variant_id=5), currency="USD"))
    log.send(bought(1, line("20", variant_id=6), currency="EUR"), device="d:other")
    log.send(refund(2, line("15"), currency="EUR"))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", 15)]


def test_a_refund_takes_the_credits_of_its_own_variant(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(click(0, "red"), click(1, "blue"))
    log.send(
        bought(
            2,
            line("10", variant_id=5, attribution_token="red"),
            line("20", variant_id=6, attribution_token="blue"),
        )
    )
    log.send(refund(3, line("15", variant_id=6)))
    log.send(refund(4, line("4", variant_id=5)))
    warehouse.load(log.outcomes)
    assert net(warehouse) == {"red": Decimal(6), "blue": Decimal(5)}


def test_a_pool_gives_its_first_line_first(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(click(0, "red"), click(1, "blue"))
    tokens = {"red": "10", "blue": "20"}
    log.send(bought(2, *(line(price, attribution_token=name) for name, price in tokens.items())))
    log.send(refund(3, line("12")))
    warehouse.load(log.outcomes)
    assert net(warehouse) == {"blue": Decimal(18)}
