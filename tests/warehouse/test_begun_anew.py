"""What a warehouse of several partitions tells workers that begin anew (decision 0037)."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import DAY, MINUTE, MORNING, Log, click, make_event
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.reached import Reached, unread
from pipeline.domain.timestamps import MILLISECOND
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.rebuild.begin_anew import begin_with_keys, reached
from pipeline.warehouse.rebuild.partitions import grow

HOURS = 60
FURTHEST = MORNING + 5 * HOURS * MINUTE


@pytest.fixture
def home(tmp_path: Path) -> Warehouse:
    """One partition is at its third hour, another at its fifth, and a third had no event yet."""
    warehouse = Warehouse(tmp_path / "live.duckdb", RULES)
    for number, hour in enumerate((3, 5)):
        log = Log(RULES, number)
        log.send(make_event(minute=hour * HOURS), device=f"d:{number}")
        warehouse.load(log.outcomes)
    log = Log(RULES, 2)
    log.append(b"", b"rubbish", appended_at=MORNING + DAY)
    warehouse.load(log.outcomes)
    return warehouse


def test_what_is_late_and_missing_is_that_of_the_furthest_partition(home: Warehouse) -> None:
    lateness = RULES.lateness // MILLISECOND
    found = reached(home.connection, HeldRules.of(home.connection))
    assert {each.horizon for each in found.values()} == {FURTHEST - lateness}
    assert found[0].stream_time == MORNING + 3 * HOURS * MINUTE
    # A partition that is new has had devices of any.
    assert unread(found.values()) == Reached("topic", None, FURTHEST, FURTHEST - lateness)
    begin_with_keys(home.connection)
    missing = home.rows("SELECT DISTINCT epoch_ms(missing_until) FROM ledger")
    assert missing == [(FURTHEST,)]


def test_what_workers_answered_before_is_of_a_former_era(home: Warehouse) -> None:
    path = home.path
    era = HeldRules.of(home.connection).era
    home.connection.close()
    assert grow(path, RULES, stream=lambda *_: lambda _: None)
    grown = Warehouse(path, RULES, keep=True)
    held = HeldRules.of(grown.connection)
    assert held.former == [era]
    assert not held.takes(era)
    grown.connection.close()


def test_a_late_device_is_known_in_each_of_its_partitions(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "live.duckdb", RULES)
    logs = [Log(RULES, number) for number in range(2)]
    for log in logs:
        device = f"d:of-{log.partition}"
        warehouse.load([log.send(make_event(minute=10 * HOURS), device=device)])
    begin_with_keys(warehouse.connection)
    for number, log in enumerate(logs):
        late = log.send(click((7 + number) * HOURS), device="d:device")
        assert len(late.late) == 1
        warehouse.load([late])
        assert warehouse.broken() == {}
    known = "SELECT partition FROM late_devices WHERE device_key = 'd:device' ORDER BY 1"
    assert warehouse.rows(known) == [(0,), (1,)]
    warehouse.connection.close()
