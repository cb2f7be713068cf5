"""A loader lets rows go while it loads and publishes; every snapshot is whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from expired import DAYS
from factories import click, purchase
from kafka_outcomes import OutcomeTopics, loading, positions, rows, run_loader
from processes import wait_for
from tables import broken_checks

from pipeline.config import Settings
from pipeline.status import read_snapshot
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.retention.retention import Retention


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that looks all the time for what is due."""
    monkeypatch.setitem(Retention.__init__.__kwdefaults__, "interval", timedelta(milliseconds=50))


def of_days(topics: OutcomeTopics, *numbers: int, device: str = "d:device") -> None:
    """A click, its repeat and an order in each partition on each of the days."""
    made = []
    for number in numbers:
        for partition, log in enumerate(topics.logs):
            one = click(number * DAYS)
            order = purchase(number * DAYS + 1, order_id=f"{partition}-{number}")
            made += [log.send(one, one, order, device=f"{device}-{partition}")]
    topics.write(made)


@pytest.mark.usefixtures("_hasty")
def test_a_loader_lets_rows_go_while_it_loads_and_publishes(settings: Settings) -> None:
    terms = {"keep_derived": timedelta(days=11), "keep_events": timedelta(days=19)}
    settings = settings.model_copy(update={**terms, "keep_duplicates": timedelta(days=5)})
    topics = OutcomeTopics(settings)

    def kept() -> list[tuple[int, ...]]:
        """Days of sessions, events and duplicates in the snapshot."""
        if positions(settings) != topics.ends():
            return []
        return rows(
            settings,
            "SELECT (SELECT count(DISTINCT day) FROM sessions),"
            " (SELECT count(DISTINCT day) FROM events),"
            " (SELECT count(DISTINCT received_day) FROM duplicates)",
        )

    with loading(settings):
        of_days(topics, *range(4))
        wait_for(lambda: kept() == [(4, 4, 4)])
        of_days(topics, *range(4, 24))
        # The day that begins at the cut, and those after it.
        wait_for(lambda: kept() == [(12, 20, 6)])
        of_days(topics, 3, device="d:late")
        wait_for(
            lambda: rows(settings, "SELECT sum(expired) FROM ledger")[0][0] == 3 * len(topics.logs)
        )
    assert broken_checks(settings.database) == []
    topics.load()  # once more, from where it stopped
    assert kept() == [(12, 20, 6)]
    assert rows(settings, "SELECT sum(events), sum(duplicates) FROM ledger") == [
        (2 * 24 * len(topics.logs), 24 * len(topics.logs))
    ]
    found = read_snapshot(settings.database, beacons="", rejected="", ids={"": ""})
    assert found is not None
    assert found.derived_from is not None

    with pytest.raises(DatabaseError, match="PIPELINE_KEEP_DERIVED=P1D is too short"):
        run_loader(settings.model_copy(update={"keep_derived": timedelta(days=1)}))
