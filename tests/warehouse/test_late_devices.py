"""Until when the warehouse remembers a device with a late event (T7), and not longer."""

from __future__ import annotations

from typing import Any

import pytest
from factories import MINUTE, MORNING, Log, all_before_is_late, click, make_event, purchase
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.rules import Rules


@pytest.fixture(scope="module", params=[RULES], ids=["roomy"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


def reaches(warehouse: Warehouse) -> list[float]:
    """In minutes, of each late device."""
    found = warehouse.rows("SELECT epoch_ms(reaches) FROM late_devices ORDER BY 1")
    return [(at - MORNING) / MINUTE for (at,) in found]


@pytest.mark.parametrize(
    ("late", "sender", "until"),
    [
        (make_event(minute=45), "visitor", [75]),
        (click(45, "token"), "visitor", [165]),
        (click(45, None), "visitor", [75]),
        (click(45, "token"), "prefetch", []),
    ],
    ids=["an event", "a touch", "a click without a token", "a prefetched click"],
)
def test_t7_a_late_event_reaches_as_far_as_its_session_and_its_touch(
    warehouse: Warehouse, late: dict[str, Any], sender: str, until: list[float]
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60)])
    warehouse.load([log.send(late, sender=sender)])
    assert reaches(warehouse) == until
    assert warehouse.broken() == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [(click(20), make_event(minute=50)), (make_event(minute=50), click(20))],
    ids=["the touch first", "the touch last"],
)
def test_t7_the_farthest_reach_stays(
    warehouse: Warehouse, first: dict[str, Any], second: dict[str, Any]
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(first)])
    warehouse.load([log.send(second)])
    assert reaches(warehouse) == [140]
    assert warehouse.broken() == {}


def test_t7_a_session_that_continues_reaches_further_and_a_touch_on_time_does_not(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=45))])
    # The stream knows this touch, and what it claims.
    warehouse.load([log.send(click(70))])
    assert reaches(warehouse) == [100]
    assert warehouse.broken() == {}


def test_t7_a_late_device_is_forgotten_when_all_that_it_reaches_would_be_late(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=45))])
    warehouse.load([all_before_is_late(log, 75)])
    assert reaches(warehouse) == [75]
    assert warehouse.broken() == {}
    warehouse.load([all_before_is_late(log, 76)])
    assert reaches(warehouse) == []
    assert warehouse.broken() == {}


def test_t7_a_partition_forgets_its_own_devices(warehouse: Warehouse) -> None:
    log, second = Log(warehouse.rules), Log(warehouse.rules, partition=1)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=45))])
    warehouse.load([all_before_is_late(second, 500, device="d:second")])
    assert reaches(warehouse) == [75]
    assert warehouse.broken() == {}


def test_t7_a_device_that_is_forgotten_is_so_when_its_order_counts_otherwise(
    warehouse: Warehouse,
) -> None:
    log, second = Log(warehouse.rules), Log(warehouse.rules, partition=1)
    late = purchase(45, order_id="A")
    warehouse.load([all_before_is_late(log, 60), log.send(late, sender="server")])
    warehouse.load([all_before_is_late(log, 76)])
    assert reaches(warehouse) == []
    # The shopper's own report counts. It comes on another partition, with a late event.
    warehouse.load(
        [
            all_before_is_late(second, 100, device="d:second"),
            second.send(purchase(170, order_id="A"), device="d:shopper"),
            second.send(make_event(minute=90), device="d:shopper"),
        ]
    )
    assert warehouse.rows("SELECT orders FROM sessions WHERE partition = 0 AND has_late") == [(0,)]
    assert reaches(warehouse) == [120]
    assert warehouse.broken() == {}
