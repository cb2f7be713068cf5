"""The sums by day of blended counts and searches: what they have, and that they are right.

`Warehouse.broken` compares what users see: the sums, and what is read from events beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from factories import Log, all_before_is_late, make_event, purchase
from warehouse_fixture import SUMMED, Warehouse

from pipeline.domain.outcomes import Outcome
from pipeline.warehouse.load.summing import Summing


def shown(minute: float, token: str = "shown", **fields: Any) -> dict[str, Any]:
    """A search that shows a token."""
    return make_event(
        "search", minute, attribution_token=token, query="hat", product_id=None, **fields
    )


def bought(minute: float, price: str = "10", **fields: Any) -> dict[str, Any]:
    return purchase(
        minute, {"product_id": 1, "price": price, "attribution_token": "shown"}, **fields
    )


def closed(log: Log, *events: dict[str, Any]) -> Iterable[Outcome]:
    """These events, and what closes their sessions."""
    yield log.send(*events)
    yield all_before_is_late(log, 400)


def in_sums(warehouse: Warehouse) -> dict[str, Any]:
    """What the tables have of the token and the search term."""
    ((shows, lines, revenue),) = warehouse.rows(
        "SELECT sum(summed_impressions), sum(summed_order_lines), sum(summed_revenue)"
        " FROM summed_blended WHERE attribution_token = 'shown'"
    )
    ((searches, of_searches),) = warehouse.rows(
        "SELECT sum(summed_searches), sum(summed_search_revenue) FROM summed_searches"
        " WHERE search_term = 'hat'"
    )
    return {
        "shown": shows or 0,
        "lines": float(lines or 0),
        "revenue": float(revenue or 0),
        "searches": searches or 0,
        "search_revenue": float(of_searches or 0),
    }


def waiting(warehouse: Warehouse) -> int:
    """Closed and open sessions that are still read from events."""
    return len(warehouse.rows("FROM visits_of(DATE '-infinity', DATE 'infinity', false)"))


def test_what_has_closed_is_in_the_sums(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), bought(5)))
    assert in_sums(warehouse) == {
        "shown": 1,
        "lines": 1,
        "revenue": 10,
        "searches": 1,
        "search_revenue": 10,
    }
    # That of the device whose event moved the time is open.
    assert waiting(warehouse) == 1
    assert warehouse.broken() == {}


def test_what_is_open_is_read_from_events(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(shown(0), bought(5))])
    assert in_sums(warehouse)["shown"] == 0
    assert warehouse.rows("SELECT blended_impressions FROM kpis WHERE grain = 'token'") == [(1,)]
    assert warehouse.broken() == {}


def test_a_session_that_was_behind_is_added_once_it_has_closed(warehouse: Warehouse) -> None:
    log, behind = Log(warehouse.rules), Log(warehouse.rules, partition=1)
    warehouse.load([behind.send(shown(0), device="d:behind"), *closed(log, shown(0))])
    assert in_sums(warehouse)["shown"] == 1
    assert waiting(warehouse) == 2
    warehouse.load([all_before_is_late(behind, 400, device="d:else")])
    assert in_sums(warehouse)["shown"] == 2
    assert warehouse.broken() == {}


FIRST = bought(5, order_id="first")


@pytest.mark.parametrize(
    ("event", "sums"),
    [
        (shown(10, "second"), {"searches": 2}),
        (make_event("add_to_cart", 6), {"shown": 1}),
        (bought(6, order_id="late"), {"lines": 2, "revenue": 20, "search_revenue": 20}),
        (shown(-20), {"shown": 1, "searches": 2, "lines": 1}),
    ],
    ids=["another search", "a cart", "an order", "an earlier start"],
)
def test_a_late_event_takes_its_session_out_and_it_is_added_again(
    warehouse: Warehouse, event: dict[str, Any], sums: dict[str, float]
) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), FIRST))
    assert in_sums(warehouse)["shown"] == 1
    warehouse.load([log.send(event)], is_summed=False)
    assert set(in_sums(warehouse).values()) == {0}
    assert waiting(warehouse) == 2
    assert warehouse.broken() == {}
    warehouse.load([])
    assert sums.items() <= in_sums(warehouse).items()
    assert waiting(warehouse) == 1
    assert warehouse.broken() == {}


def test_two_sessions_that_are_one_are_taken_out_both(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), bought(45)))
    assert in_sums(warehouse)["searches"] == 1
    assert in_sums(warehouse)["lines"] == 0
    warehouse.load([log.send(make_event(minute=20))], is_summed=False)
    assert set(in_sums(warehouse).values()) == {0}
    warehouse.load([])
    assert (in_sums(warehouse)["shown"], in_sums(warehouse)["lines"]) == (1, 1)
    assert warehouse.broken() == {}


def test_a_session_beside_stays_in_the_sums(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0)))
    warehouse.load([log.send(bought(40))], is_summed=False)
    assert in_sums(warehouse)["shown"] == 1
    assert waiting(warehouse) == 2
    assert warehouse.broken() == {}


def test_an_order_that_counts_otherwise_takes_its_session_out(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), bought(5, order_id="one")))
    # The first report of an order is the one that counts (A9).
    warehouse.load([log.send(bought(3, order_id="one"), device="d:first")], is_summed=False)
    assert set(in_sums(warehouse).values()) == {0}
    assert warehouse.broken() == {}
    warehouse.load([])
    assert in_sums(warehouse) == {
        "shown": 1,
        "lines": 0,
        "revenue": 0,
        "searches": 1,
        "search_revenue": 0,
    }
    assert warehouse.broken() == {}


def test_erased_devices_are_in_no_sum(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), bought(5)))
    warehouse.load([log.send(shown(400), device="d:stays"), all_before_is_late(log, 800)])
    assert in_sums(warehouse)["shown"] == 2
    warehouse.load([log.erase(900)])
    assert (in_sums(warehouse)["shown"], in_sums(warehouse)["lines"]) == (1, 0)
    assert warehouse.broken() == {}


def test_a_customer_erased_leaves_the_rest_of_the_device(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load(closed(log, shown(0), bought(5, customer_id="gone")))
    warehouse.load([log.erase(900, customer="gone")], is_summed=False)
    assert set(in_sums(warehouse).values()) == {0}
    assert warehouse.broken() == {}
    warehouse.load([])
    assert (in_sums(warehouse)["shown"], in_sums(warehouse)["lines"]) == (1, 0)
    assert warehouse.broken() == {}


def test_a_bounded_number_is_added_at_a_time(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    devices = [log.send(shown(n), device=f"d:{n}") for n in range(2 * SUMMED)]
    warehouse.load([*devices, all_before_is_late(log, 400)])
    assert in_sums(warehouse)["shown"] == SUMMED
    assert warehouse.broken() == {}
    warehouse.load([])
    assert in_sums(warehouse)["shown"] == 2 * SUMMED
    assert warehouse.broken() == {}


def test_late_sessions_are_added_a_bounded_number_at_a_time(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 400), all_before_is_late(log, 800)])
    warehouse.load(
        [log.send(shown(n), device=f"d:{n}") for n in range(2 * SUMMED)], is_summed=False
    )
    assert in_sums(warehouse)["shown"] == 0
    for added in (SUMMED, 2 * SUMMED):
        warehouse.load([])
        assert in_sums(warehouse)["shown"] == added
        assert warehouse.broken() == {}


def test_it_rests_as_long_as_it_took(warehouse: Warehouse) -> None:
    times = iter([0.0, 3.0, 29.0, 31.0, 31.5, 40.0, 42.0, 42.0])
    summing = Summing(
        warehouse.connection,
        warehouse.transactions,
        most=1,
        quiet=timedelta(0),
        clock=lambda: next(times),
    )
    log = Log(warehouse.rules)
    devices = [log.send(shown(n), device=f"d:{n}") for n in range(4)]
    warehouse.load([*devices, all_before_is_late(log, 400)], is_summed=False)
    # Three seconds: thirty from its start. Half a second: ten from its start.
    assert [summing.step() for _ in range(5)] == [True, False, True, False, True]
