"""An event stays small on Kafka, in the worker's state and in the warehouse (decision 0031)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from beacons import write_traffic
from sizes import Hop, Sizes, bytes_per_row
from warehouse_fixture import Warehouse

from pipeline.domain.rules import Rules

# Some 100,000 events.
DEVICES = 1_700
RECORDS = 10_000
Measured = tuple[Sizes, Warehouse]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder, sizes = tmp_path_factory.mktemp("sizes"), Sizes()
    warehouse = Warehouse(folder / "live.duckdb", Rules())
    traffic = write_traffic(folder / "traffic", devices=DEVICES)
    outcomes = [outcome for _, _, outcome in sizes.follow(traffic, warehouse.rules)]
    for begin in range(0, len(outcomes), RECORDS):
        warehouse.load(outcomes[begin : begin + RECORDS])
    warehouse.connection.execute("CHECKPOINT")
    yield sizes, warehouse
    warehouse.connection.close()


def test_an_event_takes_less_than_a_hundred_bytes_of_the_file(measured: Measured) -> None:
    _, warehouse = measured
    ((events,),) = warehouse.rows("SELECT count(*) FROM events")
    assert events > 90_000
    assert bytes_per_row(warehouse.connection, "hot_events") < 90


@pytest.mark.parametrize(("events", "most"), [(1, 2.7), (3, 2.4), (8, 2.3)])
def test_a_record_of_beacons_is_its_body_twice_and_a_head(
    measured: Measured, events: int, most: float
) -> None:
    assert times_the_body(measured, measured[0].beacons, events) < most


@pytest.mark.parametrize(("events", "most"), [(1, 4.1), (3, 2.3), (8, 1.8)])
def test_an_outcome_has_its_events_once(measured: Measured, events: int, most: float) -> None:
    assert times_the_body(measured, measured[0].outcomes, events) < most


@pytest.mark.parametrize(("events", "most"), [(3, 460), (12, 860), (36, 2120)])
def test_a_device_keeps_keys_as_bytes(measured: Measured, events: int, most: int) -> None:
    assert measured[0].states.mean(events) < most


def times_the_body(measured: Measured, hop: Hop, events: int) -> float:
    return hop.mean(events) / measured[0].bodies.mean(events)
