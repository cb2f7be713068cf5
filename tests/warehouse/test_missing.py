"""A warehouse that begins inside the log shows nothing of what the stream knows from before."""

from __future__ import annotations

from typing import Any

import pytest
from factories import Log, all_before_is_late, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.domain.rules import Rules


@pytest.fixture(scope="module", params=[Rules()], ids=["defaults"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


def missing_until(warehouse: Warehouse) -> Any:
    return warehouse.rows("SELECT missing_until FROM ledger ORDER BY partition")[0][0]


def test_a_session_and_a_touch_from_before_are_not_counted(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(click(0))
    warehouse.load([log.send(purchase(10))])
    # The stream counts two events, and a purchase claimed by the click.
    assert log.sessions() == [(0, 10, 2)]
    assert warehouse.rows("SELECT events FROM sessions") == [(1,)]
    assert warehouse.rows("SELECT match FROM conversions") == [("none",)]
    assert warehouse.broken() == {}


def test_a_whole_log_has_nothing_missing(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(click(0)), log.send(purchase(10))])
    assert missing_until(warehouse) is None
    assert warehouse.rows("SELECT match FROM conversions") == [("carried",)]


def test_missing_events_are_forgotten_once_no_rule_needs_them(warehouse: Warehouse) -> None:
    log, day = Log(warehouse.rules), 24 * 60
    log.send(click(0))
    # A lookback and a lateness later: seven days and three.
    for minute in (0, 5 * day, 10 * day):
        warehouse.load([log.send(make_event(minute=minute))])
        assert missing_until(warehouse) is not None
    warehouse.load([log.send(make_event(minute=10 * day + 1))])
    assert missing_until(warehouse) is None
    warehouse.load([log.send(make_event(minute=10 * day + 2))])
    assert warehouse.broken() == {}


def test_a_session_that_continues_remembers_its_missing_events(warehouse: Warehouse) -> None:
    log, day = Log(warehouse.rules), 24 * 60
    log.send(click(0))
    # It begins one gap after the missing events, the latest at which they may belong to it.
    for minute in range(30, 11 * day, 30):
        log.send(make_event(minute=minute))
    warehouse.load(log.outcomes[1:-1])
    assert missing_until(warehouse) is not None
    warehouse.load(log.outcomes[-1:])
    assert log.sessions() == [(0, 11 * day - 30, 11 * 48)]
    assert warehouse.rows("SELECT events FROM sessions") == [(11 * 48 - 1,)]
    assert warehouse.broken() == {}


def test_a_touch_from_before_claims_nothing_while_the_stream_still_has_it(
    warehouse: Warehouse,
) -> None:
    log, day = Log(warehouse.rules), 24 * 60
    log.send(click(0))
    warehouse.load([log.send(make_event(minute=10 * day))])
    # A lookback after the touch, and just not late.
    warehouse.load([log.send(purchase(7 * day))])
    assert log.paths() == [("carried", ["token"])]
    assert warehouse.rows("SELECT match FROM conversions") == [("none",)]
    assert warehouse.broken() == {}


def test_a_transaction_that_continues_the_ledger_misses_nothing(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for minute in range(3):
        warehouse.load([log.send(make_event(minute=minute))])
        assert missing_until(warehouse) is None


def test_missing_events_are_remembered_until_late_ones_reach_no_session_of_theirs(
    warehouse: Warehouse,
) -> None:
    log, last = Log(warehouse.rules), 11 * 24 * 60
    log.send(click(0))
    for minute in range(30, last + 1, 30):
        log.send(make_event(minute=minute))
    warehouse.load(log.outcomes[1:])
    warehouse.load([all_before_is_late(log, last + 30)])
    assert missing_until(warehouse) is not None
    warehouse.load([all_before_is_late(log, last + 31)])
    assert missing_until(warehouse) is None


def test_missing_events_are_forgotten_by_the_time_of_their_own_partition(
    warehouse: Warehouse,
) -> None:
    log, behind = Log(warehouse.rules), Log(warehouse.rules, partition=1)
    log.send(click(0))
    warehouse.load(
        [
            log.send(make_event(minute=30)),
            behind.send(make_event(minute=0), device="d:second"),
            all_before_is_late(log, 8 * 24 * 60),
        ]
    )
    assert missing_until(warehouse) is None


def test_missing_events_are_remembered_where_a_touch_among_them_can_still_claim(
    warehouse: Warehouse,
) -> None:
    log, behind, day = Log(warehouse.rules), Log(warehouse.rules, partition=1), 24 * 60
    log.send(click(0))
    behind.send(click(0), device="d:second")
    # Of the second partition's missing events a touch claims until just now.
    warehouse.load(
        [
            all_before_is_late(log, 8 * day),
            all_before_is_late(behind, 7 * day, device="d:second"),
        ]
    )
    held = warehouse.rows("SELECT missing_until IS NULL FROM ledger ORDER BY partition")
    assert held == [(True,), (False,)]
