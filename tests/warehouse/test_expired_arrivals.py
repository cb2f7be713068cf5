"""Duplicates and rejected events go a term after they came, a day at a time, and stay counted."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest
from expired import rejected, repeated, restless
from factories import Log, click
from logged import logged
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.outcomes import Failed
from pipeline.domain.rules import Rules
from pipeline.warehouse.retention.retention import REST, Retention
from pipeline.warehouse.retention.terms import Terms

TERMS = Terms(duplicates=timedelta(days=30), rejected=timedelta(days=30))


@pytest.fixture(scope="module", params=[RULES], ids=["roomy"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


@pytest.fixture
def retention(warehouse: Warehouse) -> Retention:
    """One that never rests."""
    return restless(warehouse.connection, TERMS)


def held_days(warehouse: Warehouse, table: str) -> list[int]:
    """Days after the morning's on which rows of `table` came."""
    rows = warehouse.rows(
        f"SELECT date_diff('day', DATE '2025-11-24', received_day) FROM {table} ORDER BY ALL"
    )
    return [number for (number,) in rows]


def test_duplicates_go_a_term_after_they_came_and_the_ledger_still_counts_them(
    warehouse: Warehouse, retention: Retention
) -> None:
    logs = [Log(RULES, 0), Log(RULES, 1)]
    for number in (0, 1, 1, 31, 40):
        for partition, log in enumerate(logs):
            repeated(log, number, device=f"d:{partition}")
    warehouse.load([outcome for log in logs for outcome in log.outcomes])
    assert retention.step()
    assert held_days(warehouse, "duplicates") == [1, 1, 1, 1, 31, 31, 40, 40]
    assert warehouse.broken() == {}
    assert retention.step()
    assert not retention.step()
    assert held_days(warehouse, "duplicates") == [31, 31, 40, 40]
    assert warehouse.rows("SELECT duplicates FROM ledger") == [(5,), (5,)]
    assert warehouse.rows("SELECT duplicates, events FROM dropped_rows") == [(3, 0), (3, 0)]
    assert warehouse.broken() == {}


def test_the_last_day_of_the_term_stays(warehouse: Warehouse, retention: Retention) -> None:
    warehouse.load_rejected([rejected(0), rejected(1), rejected(31)])
    assert retention.step()
    assert not retention.step()
    assert held_days(warehouse, "rejected_events") == [1, 31]


def test_t10_days_are_those_of_the_store(warehouse: Warehouse, retention: Retention) -> None:
    """At 16:00 UTC it is the next day in Auckland."""
    there = rejected(0, store_id="there", timezone="Pacific/Auckland", request_id="")
    warehouse.load_rejected([rejected(0), there, rejected(31)])
    assert retention.step()
    assert not retention.step()
    assert warehouse.rows("SELECT store_id FROM rejected_events ORDER BY received_at") == [
        ("there",),
        ("store",),
    ]


def test_what_names_no_time_goes_with_what_came_after_it(
    warehouse: Warehouse, retention: Retention
) -> None:
    log = Log(RULES)

    def unreadable() -> None:
        outcome = log.send(click())
        outcome.store_id, outcome.received_at, outcome.facts = "", 0, []
        outcome.sessions = []
        outcome.failed = [Failed("failed", "unreadable", "?")]
        warehouse.load([outcome])

    unreadable()
    warehouse.load_rejected([rejected(0), rejected(2)])
    unreadable()
    warehouse.load_rejected([rejected(31)])
    assert retention.step()
    assert not retention.step()
    assert warehouse.rows("SELECT reason, received_day IS NULL FROM rejected_events") == [
        ("invalid", False),
        ("failed", True),
        ("invalid", False),
    ]


def test_without_a_term_nothing_goes(warehouse: Warehouse) -> None:
    warehouse.load_rejected([rejected(0), rejected(9999)])
    assert not restless(warehouse.connection, Terms()).step()


def test_a_step_is_followed_by_ten_times_its_duration_without_one(warehouse: Warehouse) -> None:
    warehouse.load_rejected([rejected(number) for number in (0, 1, 2, 40)])
    ticks = iter([0.0, 2.0, 2.0 + 2 * REST - 0.1, 2.0 + 2 * REST, 23.0])
    retention = restless(warehouse.connection, TERMS, clock=lambda: next(ticks))
    assert [retention.step(), retention.step(), retention.step()] == [True, False, True]


def test_a_full_disk_is_logged_once_and_tried_again(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        """A connection whose disk has no room for a deletion."""

        is_full = True

        def execute(self, text: str, *values: object) -> object:
            if self.is_full and text == "COMMIT":
                warehouse.connection.execute("ROLLBACK")
                raise duckdb.IOException("No space left on device")
            return warehouse.connection.execute(text, *values)

    warehouse.load_rejected([rejected(0), rejected(40)])
    connection = Full()
    retention = restless(connection, TERMS)  # type: ignore[arg-type]
    assert not retention.step()
    assert not retention.step()
    assert logged(caplog, "pipeline.warehouse") == ["nothing expires: No space left on device"]
    assert held_days(warehouse, "rejected_events") == [0, 40]
    connection.is_full = False
    assert retention.step()
    assert held_days(warehouse, "rejected_events") == [40]
