"""What is kept and was made of events that have gone stays as it was (T11), with erasures too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from archived import day, freeze
from factories import DAY, MINUTE, Log, cart, click, make_event, purchase
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.rules import Rules
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.retention import derived, events

DAYS = DAY // MINUTE
# The morning is at 16:00 UTC; of events what lies before this minute goes.
MIDNIGHT = 8 * 60
# Rows are kept from here on: at least 26 hours later, at a midnight.
KEPT_FROM = MIDNIGHT + 2 * DAYS


@pytest.fixture(scope="module", params=[RULES], ids=["roomy"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


@pytest.fixture(autouse=True)
def _no_files(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.clear()
    shutil.rmtree(archive_folder(warehouse.path), ignore_errors=True)


def refund(minute: float, order: str) -> dict[str, object]:
    lines = [{"product_id": 1, "price": "10"}]
    return make_event(
        "refund", minute, items=lines, currency="USD", product_id=None, order_id=order
    )


def let_go(warehouse: Warehouse) -> None:
    """Rows up to `KEPT_FROM`, and events up to `MIDNIGHT`."""
    ((term,),) = warehouse.rows("SELECT min(stream_time) - TIMESTAMP '2025-11-27' FROM ledger")
    while derived.expire(warehouse.connection, term, partitions=1):
        assert warehouse.broken() == {}
    folder, unnamed = archive_folder(warehouse.path), list[str]()
    while events.expire(warehouse.connection, timedelta(0), folder=folder, unnamed=unnamed.extend):
        assert warehouse.broken() == {}
    assert warehouse.rows("SELECT epoch_ms(events_from) // 60000 FROM retention") == [
        (warehouse.rows("SELECT epoch_ms(TIMESTAMP '2025-11-25') // 60000")[0][0],)
    ]


def moved_on(log: Log) -> None:
    log.send(make_event(minute=KEPT_FROM + 2 * DAYS), device="d:later")


def test_a_session_that_began_before_the_first_event_that_is_left(warehouse: Warehouse) -> None:
    log = Log(RULES)
    log.send(*(make_event(minute=minute) for minute in range(0, KEPT_FROM + 60, 25)))
    moved_on(log)
    warehouse.load(log.outcomes)
    let_go(warehouse)
    ((first, left),) = warehouse.rows("SELECT events, (SELECT count(*) FROM events) FROM sessions")[
        :1
    ]
    assert first > left - 1


def test_a_conversion_whose_touch_has_gone(warehouse: Warehouse) -> None:
    log = Log(RULES)
    line = {"product_id": 1, "price": "10", "attribution_token": "token"}
    log.send(click(MIDNIGHT - 30), purchase(MIDNIGHT + 30, line, order_id="A"))
    log.send(refund(KEPT_FROM + 60, "A"), device="d:server", sender="server")
    moved_on(log)
    warehouse.load(log.outcomes)
    let_go(warehouse)
    match = "SELECT match, touches FROM conversion_facts"
    assert warehouse.rows(match) == [("direct", 1)]


def test_an_order_of_which_a_report_has_gone(warehouse: Warehouse) -> None:
    log = Log(RULES)
    log.send(purchase(MIDNIGHT - 30, order_id="A"))
    log.send(refund(KEPT_FROM + 60, "A"), device="d:server", sender="server")
    moved_on(log)
    warehouse.load(log.outcomes)
    let_go(warehouse)
    assert warehouse.rows("SELECT count(*) FROM order_lines") == [(2,)]
    assert warehouse.rows("SELECT state FROM refunds") == [("counted",)]


def test_e1_an_order_goes_with_the_later_report_that_kept_it(warehouse: Warehouse) -> None:
    log = Log(RULES)
    log.send(purchase(MIDNIGHT + 30, order_id="A"))
    log.send(refund(KEPT_FROM + 60, "A"), device="d:server", sender="server")
    moved_on(log)
    warehouse.load(log.outcomes)
    let_go(warehouse)
    assert warehouse.rows("SELECT count(*) FROM order_lines") == [(2,)]
    warehouse.load([log.erase(KEPT_FROM + DAYS, device="d:server")])
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT count(*) FROM order_lines") == [(0,)]
    assert warehouse.rows("SELECT count(*) FROM expired_orders") == [(1,)]


def test_e3_what_reaches_across_the_cut_is_made_of_what_stays(warehouse: Warehouse) -> None:
    """A session, an order with a later report, its touch, and a cart that had gone."""
    log = Log(RULES)
    line = {"product_id": 1, "price": "10", "attribution_token": "token"}
    at = KEPT_FROM - 90
    log.send(
        click(at),
        cart(at + 1),
        purchase(at + 2, line, order_id="A"),
        *(make_event(minute=at + minute, customer_id="ann") for minute in range(20, 240, 20)),
        make_event(minute=at + 240),
    )
    log.send(refund(KEPT_FROM + 60, "A"), device="d:server", sender="server")
    moved_on(log)
    warehouse.load(log.outcomes)
    let_go(warehouse)
    days = warehouse.rows("SELECT sum(add_to_carts), sum(gross_revenue) FROM daily_products")
    warehouse.load([log.erase(KEPT_FROM + DAYS, customer="ann")])
    assert warehouse.broken() == {}
    lines = "SELECT count(*) FROM order_lines WHERE device_key = 'd:device'"
    assert warehouse.rows(lines) == [(1,)]
    assert warehouse.rows("SELECT conversion_type, match FROM conversion_facts") == [
        ("purchase", "direct")
    ]
    assert (
        warehouse.rows("SELECT sum(add_to_carts), sum(gross_revenue) FROM daily_products") == days
    )


@pytest.mark.parametrize("is_archived", [False, True], ids=["hot", "archived"])
def test_e3_of_a_customer_what_only_the_event_is_kept_of_stays_an_event(
    warehouse: Warehouse, *, is_archived: bool
) -> None:
    log = Log(RULES)
    for minute in (MIDNIGHT + 60, KEPT_FROM + 60):
        log.send(
            click(minute, customer_id="ann"),
            cart(minute + 1, customer_id="ben"),
            purchase(minute + 2, order_id=f"{minute}", customer_id="ben"),
        )
    moved_on(log)
    warehouse.load(log.outcomes)
    if is_archived:
        freeze(warehouse.connection, archive_folder(warehouse.path), day(1))
    let_go(warehouse)
    warehouse.load([log.erase(KEPT_FROM + DAYS, customer="ann")])
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT count(*) FROM events WHERE device_key = 'd:device'") == [(4,)]
    of_it = "WHERE device_key = 'd:device'"
    assert warehouse.rows(f"SELECT events FROM sessions {of_it}") == [(2,)]
    assert warehouse.rows(f"SELECT count(*) FROM order_lines {of_it}") == [(1,)]
    assert warehouse.rows("SELECT events, erased FROM ledger") == [(5, 2)]
