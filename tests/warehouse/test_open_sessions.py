"""Sessions are open until stream time is more than a gap past their end (S7)."""

from __future__ import annotations

import pytest
from factories import Log, all_before_is_late, make_event
from warehouse_fixture import Warehouse

OPEN = "SELECT is_open FROM sessions WHERE device_key = 'd:device' ORDER BY started_at"


@pytest.mark.parametrize("at_once", [True, False], ids=["one transaction", "several"])
def test_s7_at_the_gap_a_session_is_open_and_after_it_closed(
    warehouse: Warehouse, *, at_once: bool
) -> None:
    log = Log(warehouse.rules)
    first = log.send(make_event(minute=0))
    at_the_gap = log.send(make_event(minute=30), device="d:other")
    for outcomes in [[first, at_the_gap]] if at_once else [[first], [at_the_gap]]:
        warehouse.load(outcomes)
    assert warehouse.rows(OPEN) == [(True,)]
    assert warehouse.broken() == {}
    warehouse.load([log.send(make_event(minute=30, ms=1), device="d:other")])
    assert warehouse.rows(OPEN) == [(False,)]
    assert warehouse.broken() == {}


def test_s7_long_after_it_all_are_closed(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(make_event(minute=0))])
    warehouse.load([all_before_is_late(log, 5000)])
    assert warehouse.rows(OPEN) == [(False,)]
    assert warehouse.broken() == {}


def test_s7_a_late_session_is_closed_when_it_is_written(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 100)])
    warehouse.load([log.send(make_event(minute=10))])
    assert warehouse.rows(OPEN) == [(False,)]
    assert warehouse.broken() == {}


def test_s7_a_partitions_time_closes_its_own_sessions(warehouse: Warehouse) -> None:
    log, second = Log(warehouse.rules), Log(warehouse.rules, partition=1)
    begun = second.send(make_event(minute=20), device="d:second")
    warehouse.load([log.send(make_event(minute=0)), begun])
    warehouse.load([second.send(make_event(minute=500), device="d:second")])
    assert warehouse.rows(OPEN) == [(True,)]
    assert warehouse.broken() == {}
