"""Worked cases of models, refunds, blended counts and KPIs (A7, A8, B1-B4), to the last place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from factories import DAY, MINUTE, Log, cart, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.queries import ask

HOURS = 60


@pytest.fixture(scope="module", params=[Rules(lookback=timedelta(days=30))], ids=["month"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


def load(warehouse: Warehouse, *events: dict[str, Any], **sent: Any) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(event, **sent) for event in events])
    assert warehouse.broken() == {}


def shown(event_type: str, token: str, ms: int = 0, **fields: Any) -> dict[str, Any]:
    return make_event(event_type, ms=ms, attribution_token=token, **{"product_id": None, **fields})


def impression(token: str, product: int, position: int, ms: int = 0) -> dict[str, Any]:
    return shown("product_impression", token, ms, product_id=product, position=position)


def line(product: int = 1, price: str | None = "10", **fields: Any) -> dict[str, Any]:
    return {"product_id": product, **({} if price is None else {"price": price}), **fields}


def refund(minute: float, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return make_event(
        "refund",
        minute,
        **{"order_id": "O", "currency": "USD", "product_id": None, "items": list(lines), **fields},
    )


def credited(warehouse: Warehouse, model: str) -> list[str]:
    found = warehouse.rows(f"SELECT credit FROM credits WHERE model = '{model}' ORDER BY position")
    return [str(credit) for (credit,) in found]


def path(*days_before: int) -> Iterable[dict[str, Any]]:
    return [click(-days * 24 * HOURS, f"t{days}") for days in days_before]


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("last", ["0.0000", "0.0000", "0.0000", "100.0000"]),
        ("first", ["100.0000", "0.0000", "0.0000", "0.0000"]),
        ("linear", ["25.0000", "25.0000", "25.0000", "25.0000"]),
        ("position", ["40.0000", "10.0000", "10.0000", "40.0000"]),
        ("time_decay", ["9.4100", "18.8300", "34.1000", "37.6600"]),
    ],
)
def test_a7_the_worked_path(warehouse: Warehouse, model: str, wanted: list[str]) -> None:
    load(warehouse, *path(14, 7, 1, 0), purchase(0, line(price="100")))
    assert credited(warehouse, model) == wanted


@pytest.mark.parametrize(
    ("currency", "price", "wanted"),
    [
        ("JPY", "100", ["33.0000", "33.0000", "34.0000"]),
        ("USD", "100", ["33.3300", "33.3300", "33.3400"]),
        ("KWD", "100", ["33.3330", "33.3330", "33.3340"]),
        ("CLF", "100", ["33.3333", "33.3333", "33.3334"]),
        # Half-even: 0.5 of a minor unit goes to 0, 1.5 to 2; the rest is the last touch's.
        ("JPY", "1.5", ["0.0000", "0.0000", "1.5000"]),
        ("JPY", "4.5", ["2.0000", "2.0000", "0.5000"]),
    ],
)
def test_a7_credits_are_whole_minor_units_and_the_remainder_is_the_last_touchs(
    warehouse: Warehouse, currency: str, price: str, wanted: list[str]
) -> None:
    load(warehouse, *path(3, 2, 1), purchase(0, line(price=price), currency=currency))
    assert credited(warehouse, "linear") == wanted


def test_a7_one_touch_and_two_touches_share_by_position_as_they_should(
    warehouse: Warehouse,
) -> None:
    load(warehouse, *path(2), purchase(0, line(price="5")))
    assert credited(warehouse, "position") == ["5.0000"]
    warehouse.clear()
    load(warehouse, *path(2, 1), purchase(0, line(price="5")))
    assert credited(warehouse, "position") == ["2.5000", "2.5000"]


def test_a7_what_is_attributed_to_nothing_is_a_row_so_totals_equal_the_revenue(
    warehouse: Warehouse,
) -> None:
    load(
        warehouse,
        purchase(0, line(price="7"), line(2, "3", attribution_token="never")),
        cart(1),
    )
    found = warehouse.rows("""
        SELECT match, attribution_token, conversions, attributed_revenue
        FROM attribution_models WHERE model = 'linear' ORDER BY ALL
    """)
    assert found == [
        ("none", None, 1, Decimal(7)),
        ("none", None, 1, None),
        ("orphan", "never", 1, Decimal(3)),
    ]


def test_a7_a_tie_credits_once(warehouse: Warehouse) -> None:
    load(warehouse, click(0, "a"), click(0, "b"), purchase(0, line(price="9")))
    for model in ("last", "first"):
        assert sorted(credited(warehouse, model)) == ["0.0000", "9.0000"]


def test_a7_the_half_life_is_a_setting_that_may_change(warehouse: Warehouse) -> None:
    load(warehouse, *path(1, 0), purchase(0, line(price="3")))
    assert credited(warehouse, "time_decay") == ["1.4300", "1.5700"]
    warehouse.connection.execute("UPDATE rules SET half_life = INTERVAL 1 DAY")
    try:
        assert credited(warehouse, "time_decay") == ["1.0000", "2.0000"]
    finally:
        warehouse.connection.execute("UPDATE rules SET half_life = INTERVAL 7 DAY")


def test_a7_another_half_life_opens_the_same_database(tmp_path: Any) -> None:
    rules = Rules()
    connect_live(tmp_path / "live.duckdb", rules).close()
    other = msgspec.structs.replace(rules, half_life=timedelta(days=2))
    with connect_live(tmp_path / "live.duckdb", other) as connection:
        assert connection.execute("SELECT half_life FROM rules").fetchall() == [
            (timedelta(days=2),)
        ]


def test_a7_a_path_far_longer_than_the_half_life_still_has_weights(warehouse: Warehouse) -> None:
    warehouse.connection.execute("UPDATE rules SET half_life = INTERVAL 1 MILLISECOND")
    try:
        load(warehouse, *path(20, 10), purchase(0, line(price="3")))
        assert credited(warehouse, "time_decay") == ["0.0000", "3.0000"]
    finally:
        warehouse.connection.execute("UPDATE rules SET half_life = INTERVAL 7 DAY")


def taken(warehouse: Warehouse) -> list[tuple[str, str, str | None]]:
    found = warehouse.rows("SELECT state, taken, over FROM refunds ORDER BY occurred_at, line")
    return [
        (state, str(amount), None if over is None else str(over)) for state, amount, over in found
    ]


def left(warehouse: Warehouse) -> dict[tuple[str, str | None], Decimal]:
    """Net revenue by model and token that is not nothing."""
    return {
        (model, token): net
        for model, token, net in warehouse.rows("""
            SELECT model, attribution_token, sum(attributed_net_revenue)
            FROM attribution_models GROUP BY ALL HAVING sum(attributed_net_revenue) <> 0
        """)
    }


@pytest.mark.parametrize("parts", [["99.99"], ["33.33"] * 3, ["0.01", "50", "49.98"], ["200"]])
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_a8_a_full_refund_in_any_parts_leaves_exactly_nothing(
    warehouse: Warehouse, parts: list[str], currency: str
) -> None:
    back = [
        refund(60 + at, line(price=part), refund_id=str(at), currency=currency)
        for at, part in enumerate(parts)
    ]
    bought = purchase(0, line(price="99.99"), order_id="O", currency=currency)
    load(warehouse, *path(5, 4, 3, 1), bought, *back)
    assert left(warehouse) == {}


def test_a8_a_partial_refund_is_proportional_and_on_its_own_day(warehouse: Warehouse) -> None:
    bought = purchase(0, line(price="10"), order_id="O")
    load(warehouse, *path(2, 1), bought, refund(3 * 24 * HOURS, line(price="4")))
    found = warehouse.rows("""
        SELECT day - DATE '2025-11-24', attribution_token, attributed_revenue, attributed_refunds,
            attributed_net_revenue
        FROM attribution_models WHERE model = 'linear' ORDER BY ALL
    """)
    assert found == [
        (0, "t1", 5, 0, 5),
        (0, "t2", 5, 0, 5),
        (3, "t1", 0, 2, -2),
        (3, "t2", 0, 2, -2),
    ]


def test_a8_what_is_over_is_listed_and_credits_nothing(warehouse: Warehouse) -> None:
    bought = purchase(0, line(price="10"), order_id="O")
    load(
        warehouse, bought, refund(1, line(price="8")), refund(2, line(price="8")), refund(3, line())
    )
    assert taken(warehouse) == [
        ("counted", "8.0000", "0.0000"),
        ("counted", "2.0000", "6.0000"),
        ("over", "0.0000", "10.0000"),
    ]
    assert left(warehouse) == {}


def test_a8_without_a_price_it_is_the_quantity_times_the_original_unit_price(
    warehouse: Warehouse,
) -> None:
    bought = purchase(0, line(price="2.5", quantity=4), order_id="O")
    load(warehouse, bought, refund(1, line(price=None, quantity=3), currency=None))
    assert taken(warehouse) == [("counted", "7.5000", "0.0000")]


def test_a8_a_refund_before_its_order_waits_for_it_and_then_counts(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(refund(0, line(price="4")))])
    assert taken(warehouse) == [("waiting", "0.0000", None)]
    # It may even lie before its order in time.
    warehouse.load([log.send(purchase(10, line(price="10"), order_id="O"))])
    assert taken(warehouse) == [("counted", "4.0000", "0.0000")]
    assert left(warehouse)["last", None] == 6


@pytest.mark.parametrize(
    ("back", "state"),
    [
        (refund(1, line(2, "1")), "waiting"),
        (refund(1, line(), order_id="other"), "waiting"),
        (refund(1, line(), currency="EUR"), "other_currency"),
    ],
)
def test_a8_only_the_same_line_of_the_same_order_in_its_currency_is_taken_from(
    warehouse: Warehouse, back: dict[str, Any], state: str
) -> None:
    load(warehouse, purchase(0, line(price="10"), order_id="O"), back)
    assert taken(warehouse) == [(state, "0.0000", None)]


@pytest.mark.parametrize("named", [{}, {"variant_id": 7}])
def test_a8_a_missing_variant_makes_one_pool(warehouse: Warehouse, named: dict[str, Any]) -> None:
    other = {} if named else {"variant_id": 7}
    load(warehouse, purchase(0, line(price="10", **named), order_id="O"), refund(1, line(**other)))
    assert taken(warehouse) == [("counted", "10.0000", "0.0000")]


def test_a8_other_variants_are_other_lines(warehouse: Warehouse) -> None:
    bought = purchase(0, line(price="10", variant_id=5), order_id="O")
    load(warehouse, bought, refund(1, line(variant_id=7)))
    assert taken(warehouse) == [("waiting", "0.0000", None)]


def test_a8_a_pool_is_refunded_to_exactly_nothing(warehouse: Warehouse) -> None:
    lines = [line(price="20", variant_id=71), line(price="25", variant_id=72)]
    load(
        warehouse,
        click(0),
        purchase(1, *lines, order_id="O", attribution_token="token"),
        refund(2, line(price="25")),
        refund(3, line(price="20", variant_id=71)),
    )
    assert taken(warehouse) == [("counted", "25.0000", "0.0000"), ("counted", "20.0000", "0.0000")]
    assert left(warehouse) == {}


def test_a8_another_store_is_another_order(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(
        [
            log.send(purchase(0, line(), order_id="O"), store="one"),
            log.send(refund(1, line()), store="two"),
        ]
    )
    assert taken(warehouse) == [("waiting", "0.0000", None)]


def test_a8_an_unpriced_line_has_nothing_to_take(warehouse: Warehouse) -> None:
    load(warehouse, purchase(0, line(price=None), order_id="O"), refund(1, line(price=None)))
    assert taken(warehouse) == [("unpriced", "0.0000", None)]


def test_a8_a_refund_seen_by_two_devices_counts_once_and_two_refunds_twice(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(0, line(price="10"), order_id="O"))
    log.send(refund(5, line(price="3"), refund_id="R"), device="d:webhook")
    warehouse.load(log.outcomes)
    # The earlier one in time arrives last, and another one with it.
    warehouse.load(
        [
            log.send(refund(6, line(price="3"), refund_id="S")),
            log.send(refund(4, line(price="3"), refund_id="R")),
        ]
    )
    assert [state for state, _, _ in taken(warehouse)] == ["counted", "repeated", "counted"]
    assert left(warehouse)["last", None] == 4
    assert warehouse.broken() == {}


def test_a8_two_lines_of_one_product_are_taken_from_one_after_the_other(
    warehouse: Warehouse,
) -> None:
    bought = purchase(0, line(price="10"), line(price="6"), order_id="O")
    load(warehouse, bought, refund(1, line(price="12")))
    found = warehouse.rows("""
        SELECT c.line, r.credit FROM refund_credits AS r
        JOIN conversions AS c USING (conversion_key) WHERE model = 'last' ORDER BY ALL
    """)
    assert found == [(0, Decimal(10)), (1, Decimal(2))]


def test_a8_a_restated_conversion_restates_its_refunds(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(10, line(price="10"), order_id="O"))
    warehouse.load([*log.outcomes, log.send(refund(20, line(price="10")))])
    query = "SELECT attribution_token, credit FROM refund_credits WHERE model = 'first'"
    assert warehouse.rows(query) == [(None, Decimal(10))]
    warehouse.load([log.send(click(5, "late"))])
    assert warehouse.rows(query) == [("late", Decimal(10))]


def test_a8_a_refund_is_of_who_bought_whatever_the_webhook_calls_itself(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(0, line(price="10"), order_id="O"))
    log.send(refund(1, line(price="4")), device="d:webhook", is_bot=True)
    warehouse.load(log.outcomes)
    assert left(warehouse)["linear", None] == 6
    assert warehouse.rows("SELECT is_bot FROM refunds") == [(False,)]


def test_a8_a_repeated_line_of_an_order_is_not_there_to_be_refunded(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(0, line(price="10"), order_id="O"))
    log.send(purchase(1, line(price="10"), order_id="O"), device="d:webhook")
    log.send(refund(2, line(price="15")))
    warehouse.load(log.outcomes)
    assert taken(warehouse) == [("counted", "10.0000", "5.0000")]


def test_a_bots_conversions_stand_beside_the_models(warehouse: Warehouse) -> None:
    load(warehouse, purchase(0, line()), is_bot=True)
    query = "SELECT conversions, attributed_revenue, bot_conversions FROM attribution_models"
    assert set(warehouse.rows(query)) == {(0, 0, 1)}


@pytest.mark.parametrize(
    ("age", "counts"),
    [(-1, 0), (0, 1), (120_000, 1), (120_001, 0.5), (600_000, 0.5), (600_001, 0)],
)
@pytest.mark.parametrize("action", ["product_click", "add_to_cart", "purchase"])
def test_b2_a_click_without_a_token_counts_by_its_age(
    warehouse: Warehouse, action: str, age: int, counts: float
) -> None:
    load(warehouse, impression("K", 1, 1), make_event(action, ms=age, position=1))
    names = {"product_click": "clicks", "add_to_cart": "add_to_carts", "purchase": "order_lines"}
    query = f"SELECT blended_{names[action]} FROM kpis WHERE grain = 'token' AND name = 'K'"
    assert warehouse.rows(query) == [(Decimal(str(counts)),)]


def clicks(warehouse: Warehouse, grain: str = "token") -> dict[str, float]:
    return {
        name: float(count)
        for name, count in warehouse.rows(
            f"SELECT name, blended_clicks FROM kpis WHERE grain = '{grain}'"
        )
    }


def test_b1_what_carries_the_token_counts_whole_whatever_its_age(warehouse: Warehouse) -> None:
    load(warehouse, shown("block_view", "K"), click(29, "K"), click(-1, "K"), click(1, "unseen"))
    assert clicks(warehouse) == {"K": 2}


def test_b2_it_goes_to_the_latest_token_and_at_one_time_to_the_greater(
    warehouse: Warehouse,
) -> None:
    load(
        warehouse,
        shown("search", "a", 0, query="x"),
        shown("search", "b", 1000, query="x"),
        shown("search", "c", 1000, query="x"),
        click(0, None, ms=999),
        click(0, None, ms=1000),
    )
    assert clicks(warehouse) == {"a": 1, "b": 0, "c": 1}


def test_b2_t0_is_the_earliest_showing(warehouse: Warehouse) -> None:
    load(
        warehouse,
        shown("search", "a", 0, query="x"),
        shown("search", "a", 300_000, query="x"),
        click(0, None, ms=310_000),
    )
    assert clicks(warehouse) == {"a": 0.5}


def test_b2_another_session_shows_nothing(warehouse: Warehouse) -> None:
    load(
        warehouse,
        shown("search", "a", query="x"),
        click(0, None, ms=999, session_id="other"),
        shown("search", "b", 1000, query="x", session_id="other"),
        click(0, None, ms=2000),
    )
    assert clicks(warehouse) == {"a": 1, "b": 0}


def test_b2_a_bot_in_the_same_session_shows_nothing(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(shown("search", "a", query="x"))
    log.send(shown("search", "b", 1000, query="x"), is_bot=True)
    log.send(click(0, None, ms=2000))
    warehouse.load(log.outcomes)
    assert clicks(warehouse) == {"a": 1, "b": 0}


def test_b3_a_token_with_impressions_claims_only_their_products(warehouse: Warehouse) -> None:
    load(
        warehouse,
        shown("block_view", "any"),
        impression("some", 2, 1, 1000),
        click(0, None, ms=2000),
        click(0, None, ms=2000, product_id=2),
    )
    assert clicks(warehouse) == {"any": 1, "some": 1}


def test_b3_the_impressions_are_the_tokens_own(warehouse: Warehouse) -> None:
    load(
        warehouse,
        impression("one", 1, 1),
        impression("other", 2, 1, 1000),
        click(0, None, ms=2000, product_id=1),
    )
    assert clicks(warehouse) == {"one": 1, "other": 0}


def test_b4_the_day_is_that_of_t0(warehouse: Warehouse) -> None:
    midnight = 8 * HOURS * MINUTE  # the morning is at 16:00
    load(warehouse, impression("K", 1, 1, midnight - 1), click(0, "K", ms=midnight))
    found = warehouse.rows(
        "SELECT DISTINCT day, blended_clicks FROM kpis WHERE grain <> 'position'"
    )
    assert [(str(day), count) for day, count in found] == [("2025-11-24", 1)]


def test_kpis_count_distinct_impressions_at_each_grain(warehouse: Warehouse) -> None:
    again = [impression("K", 1, 1, ms) for ms in (0, 1, 2)]
    load(warehouse, *again, impression("K", 1, 2, 3), impression("K", 2, 1, 4))
    found = warehouse.rows("SELECT grain, name, blended_impressions FROM kpis ORDER BY ALL")
    assert found == [
        ("all_tokens", "store", 1),
        ("position", "1", 2),
        ("position", "2", 1),
        ("product", "1", 2),
        ("product", "2", 1),
        ("token", "K", 1),
    ]


def test_kpis_one_token_in_two_sessions_is_two_impressions(warehouse: Warehouse) -> None:
    load(warehouse, impression("K", 1, 1), impression("K", 1, 1, 31 * MINUTE))
    found = warehouse.rows("SELECT DISTINCT blended_impressions FROM kpis")
    assert found == [(2,)]


def test_kpis_name_the_first_block_collection_and_query_of_their_token(
    warehouse: Warehouse,
) -> None:
    load(
        warehouse,
        shown("block_view", "b", 1, block_id="side"),
        shown("block_view", "b", block_id="top"),
        shown("collection_view", "c", 1, collection_handle="new"),
        shown("collection_view", "c", collection_handle="sale"),
        shown("search", "q", 1, query="hats"),
        shown("search", "q", query="shoes"),
        click(0, "b"),
        click(0, "c"),
        click(0, "q"),
    )
    for grain, name in (("block", "top"), ("collection", "sale"), ("query", "shoes")):
        assert clicks(warehouse, grain) == {name: 1}


def test_kpis_an_action_stands_at_the_position_where_its_product_was_last_shown(
    warehouse: Warehouse,
) -> None:
    # Nearer, but after it, is the fourth.
    shows = [(2, 0), (1, 1000), (1, 2000), (3, 3001)]
    load(warehouse, *(impression("K", 1, at, ms) for at, ms in shows), click(0, "K", ms=3000))
    assert clicks(warehouse, "position") == {"1": 1, "2": 0, "3": 0}


def test_kpis_no_impressions_is_null_and_no_events_is_zero(warehouse: Warehouse) -> None:
    load(warehouse, impression("K", 1, 1), click(0, "K", product_id=2))
    rates = "click_through_rate, add_to_cart_rate, purchase_rate"
    found = warehouse.rows(f"SELECT name, {rates} FROM kpis WHERE grain = 'product' ORDER BY name")
    assert found == [("1", 0, 0, 0), ("2", None, None, None)]


def test_kpis_revenue_per_impression_is_by_currency(warehouse: Warehouse) -> None:
    load(
        warehouse,
        impression("K", 1, 1),
        impression("K", 1, 2),
        purchase(1, line(price="10"), attribution_token="K"),
        purchase(1, line(price="900"), attribution_token="K", currency="JPY"),
        purchase(5, line(price="0.0001")),
    )
    found = warehouse.rows("""
        SELECT currency, blended_revenue, blended_impressions, revenue_per_impression
        FROM kpi_revenue WHERE grain = 'product' ORDER BY currency
    """)
    assert found == [
        ("JPY", 900, 2, 450),
        ("USD", Decimal("10.00005"), 2, pytest.approx(5.000025)),
    ]


def test_kpis_bots_are_left_out_and_counted_beside(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(impression("K", 1, 1))
    log.send(click(1, None), is_bot=True)
    log.send(impression("K", 1, 1, 5), is_bot=True)
    warehouse.load(log.outcomes)
    query = """
        SELECT blended_impressions, blended_clicks, bot_blended_impressions
        FROM kpis WHERE grain = 'token'"""
    assert warehouse.rows(query) == [(1, 0, 1)]


def test_kpis_of_revenue_leave_bots_out(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for is_bot, price in ((False, "10"), (True, "900")):
        log.send(impression("K", 1, 1), is_bot=is_bot)
        bought = purchase(1, line(price=price), attribution_token="K")
        log.send(bought, is_bot=is_bot)
    warehouse.load(log.outcomes)
    query = """
        SELECT DISTINCT blended_revenue, blended_impressions, revenue_per_impression
        FROM kpi_revenue"""
    assert warehouse.rows(query) == [(10, 1, 10)]


def test_kpis_compare_with_the_period_of_the_same_length_just_before(
    warehouse: Warehouse,
) -> None:
    events = []
    # Two days ago nothing; one click a day ago; three on the day.
    for days, count in ((3, 5), (2, 0), (1, 1), (0, 3)):
        at = -days * DAY
        events += [shown("search", "K", at, query="x", session_id=f"s{days}")]
        events += [click(ms=at + 1 + n, token="K", session_id=f"s{days}") for n in range(count)]
    load(warehouse, *events)
    found = ask(
        warehouse.connection,
        "kpis",
        {"first": "2025-11-23", "last": "2025-11-24", "grain": "query"},
    )
    (row,) = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert (row["blended_clicks"], row["blended_impressions"], row["click_through_rate"]) == (
        4,
        2,
        2,
    )
    assert row["clicks_change"] == pytest.approx((4 - 5) / 5)
    assert row["impressions_change"] == 0
    assert row["order_lines_change"] is None


def test_kpis_of_some_days_are_those_days_of_all(warehouse: Warehouse) -> None:
    events = [impression("K", 1, 1, days * DAY) for days in range(5)]
    load(warehouse, *events, click(2 * 24 * HOURS, "K"))
    bounded = "FROM kpis(DATE '2025-11-25', DATE '2025-11-26') ORDER BY ALL"
    assert warehouse.rows(bounded) == warehouse.rows(
        "FROM kpis WHERE day BETWEEN DATE '2025-11-25' AND DATE '2025-11-26' ORDER BY ALL"
    )
    assert warehouse.rows(bounded) != []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"order_id": "O"}, {"order_id": "P"}),
        ({"product_id": 1}, {"product_id": 2}),
        ({"variant_id": 5}, {"variant_id": 6}),
    ],
)
def test_a9_lines_of_one_transaction_repeat_only_their_own(
    warehouse: Warehouse, one: dict[str, Any], two: dict[str, Any]
) -> None:
    log = Log(warehouse.rules)

    def bought(minute: float, named: dict[str, Any]) -> dict[str, Any]:
        of = {"product_id": 1, "price": "1", **named}
        return purchase(minute, of, order_id=of.pop("order_id", "O"))

    # A later sight of the one comes with the first of the other, an earlier one with a later.
    for sights in ([(10, one)], [(20, one), (15, two)], [(5, one), (25, two)]):
        warehouse.load([log.send(bought(*sight), device="d:webhook") for sight in sights])
    assert warehouse.broken() == {}
    found = warehouse.rows("SELECT is_repeated FROM order_lines ORDER BY occurred_at")
    assert found == [(False,), (True,), (False,), (True,), (True,)]


def test_a9_a_refund_is_no_sight_of_its_order(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    # Some shops number a refund as its order.
    log.send(purchase(0, line(), order_id="O"))
    log.send(refund(1, line(price="1"), refund_id="O"))
    warehouse.load(log.outcomes)
    # With another sight of the order the loader reads its lines again.
    sights = [refund(2, line(price="2")), purchase(3, line(), order_id="O")]
    warehouse.load([log.send(sight, device="d:webhook") for sight in sights])
    assert [state for state, _, _ in taken(warehouse)] == ["counted", "counted"]
    assert warehouse.broken() == {}


def test_a9_the_lines_that_an_earlier_sight_does_not_name_still_count(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(purchase(5, line(1), line(2), order_id="O"))])
    warehouse.load([log.send(purchase(1, line(1), order_id="O"), device="d:pixel")])
    found = warehouse.rows("SELECT product_id FROM order_lines WHERE is_repeated")
    assert found == [(1,)]
    assert warehouse.broken() == {}
