"""What a loader's lock tells of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer
from factories import click
from kafka_outcomes import OutcomeTopics
from processes import Verb, stopping, wait_for

from pipeline.config import Settings
from pipeline.monitoring.kafka_ends import INTERVAL
from pipeline.warehouse.load.running import Running, Told, missing, told


@pytest.fixture
def none(tmp_path: Path) -> str:
    return f"no loader runs with the home {tmp_path}"


def test_a_loader_that_runs_and_has_published_misses_nothing(tmp_path: Path, none: str) -> None:
    assert missing(tmp_path) == none
    running = Running(tmp_path)
    assert missing(tmp_path) == "the loader has not published since it started"
    running.published()
    assert missing(tmp_path) is None
    running.close()
    assert missing(tmp_path) == none


def test_what_the_last_loader_published_does_not_count(tmp_path: Path) -> None:
    last = Running(tmp_path)
    last.published()
    last.close()
    running = Running(tmp_path)
    assert missing(tmp_path) == "the loader has not published since it started"
    running.close()


def test_until_when_the_snapshot_is_complete_is_told_anew(tmp_path: Path) -> None:
    running = Running(tmp_path)
    assert told(tmp_path) == Told(has_published=False, complete_until=None)
    running.complete(1764000000.25)
    running.published()
    at = datetime.fromtimestamp(1764000000.25, UTC)
    assert told(tmp_path) == Told(has_published=True, complete_until=at)
    running.close()
    assert told(tmp_path) is None


def test_a_loader_of_the_version_before_told_less(tmp_path: Path) -> None:
    running = Running(tmp_path)
    (tmp_path / "loader.lock").write_bytes(b"1")
    assert told(tmp_path) == Told(has_published=True, complete_until=None)
    running.close()


def test_a_loader_goes_on_telling_that_nothing_has_come_until_something_has(
    settings: Settings,
) -> None:
    topics = OutcomeTopics(settings)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})

    def until() -> datetime:
        loader = told(settings.home)
        found = loader.complete_until if loader else None
        return found or datetime.fromtimestamp(0, UTC)

    def goes_on() -> bool:
        return until() > before

    load = Verb("load", settings)
    with stopping([load]):
        before = datetime.now(UTC)
        wait_for(goes_on, each=load.assert_alive)
        # A record that no worker has answered.
        producer.produce(topics.topics.beacons.name, b"x", partition=0)
        assert producer.flush(60) == 0
        sent = datetime.now(UTC)
        wait_for(lambda: datetime.now(UTC) - sent > 2 * INTERVAL, each=load.assert_alive)
        assert until() <= sent
        before = datetime.now(UTC)
        topics.write([topics.logs[0].send(click())])
        wait_for(goes_on, each=load.assert_alive)
        topics.reject("invalid")
        before = datetime.now(UTC)
        wait_for(goes_on, each=load.assert_alive)
        assert '"level":"error"' not in load.raw()
