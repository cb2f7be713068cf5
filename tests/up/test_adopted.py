"""The demo adds to what it has sent, and rules are adopted: Kafka is one that only they run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tables import broken_checks

from pipeline.warehouse.database import connect_published

SHOPPERS = ("--exit", "--devices", "20")


@pytest.mark.timeout(600)
def test_a_second_demo_adds_events_also_under_rules_that_were_adopted_meanwhile(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    def finished(*arguments: str, **settings: str) -> str:
        run = start(*arguments, **settings)
        assert run.process.wait(180) == 0, run.errors
        assert "Traceback" not in run.errors
        return str(run.output)

    def counted() -> tuple[timedelta, int]:
        snapshot = tmp_path / "home" / "analytics.duckdb"
        assert broken_checks(snapshot) == []
        with connect_published(snapshot) as connection:
            places = connection.execute("SELECT count(DISTINCT country) FROM events").fetchall()
            assert places[0][0] > 1
            found = connection.execute("SELECT gap, (SELECT count(*) FROM events) FROM rules")
            return found.fetchall()[0]

    assert "$ pipeline query funnel" in finished("demo", *SHOPPERS)
    gap, events = counted()
    assert (gap, events > 0) == (timedelta(minutes=30), True)
    # At once: the named worker that has just ended is still in its group.
    finished("rules", "adopt", session_gap="PT10M")
    assert counted() == (gap, events)
    finished("demo", *SHOPPERS, session_gap="PT10M")
    assert counted()[0] == timedelta(minutes=10)
    assert counted()[1] > events
