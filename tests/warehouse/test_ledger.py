"""Which origins a warehouse takes (D3): the next one of a partition, once."""

from __future__ import annotations

import pytest
from factories import Log, click, purchase
from warehouse_fixture import Warehouse

from pipeline.domain.outcomes import Origin
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.transaction import Ledger

COUNTED = "SELECT records, events, duplicates, next_origin FROM ledger"


def test_an_origin_is_accepted_once_and_then_the_next_one() -> None:
    ledger = Ledger({0: ("topic", 5)})
    taken = [ledger.accepts(Origin("topic", 0, offset)) for offset in (4, 5, 5, 6, 4, 7)]
    assert taken == [False, True, False, True, False, True]


def test_a_hole_of_one_record_is_refused() -> None:
    with pytest.raises(DatabaseError, match="offsets 5-5 of beacons"):
        Ledger({0: ("topic", 5)}).accepts(Origin("topic", 0, 6))


def test_another_topic_is_refused() -> None:
    with pytest.raises(DatabaseError, match="the topic was recreated"):
        Ledger({0: ("topic", 5)}).accepts(Origin("other", 0, 5))


def test_d3_a_redelivery_changes_nothing_and_is_counted_nowhere(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(click(0))
    log.send(purchase(1))
    warehouse.load(log.outcomes)
    counted, sessions = warehouse.rows(COUNTED), warehouse.rows("FROM sessions")
    warehouse.load([*log.outcomes, *log.outcomes])
    assert (warehouse.rows(COUNTED), warehouse.rows("FROM sessions")) == (counted, sessions)
    assert warehouse.broken() == {}
