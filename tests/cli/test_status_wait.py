"""`pipeline status --wait`: a snapshot of the loader that runs, with all that Kafka held."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

from confluent_kafka import Producer
from factories import click
from kafka_outcomes import OutcomeTopics, commit, loading
from processes import environment

from pipeline.config import Settings
from pipeline.status.settling import settle
from pipeline.warehouse.load.running import Running


def awaited(settings: Settings) -> str | None:
    """At once."""
    said: list[str] = []
    found = settle(settings, timedelta(0), said.append)
    assert said == []
    return found


def test_the_loader_that_runs_must_have_published_all_that_kafka_holds(settings: Settings) -> None:
    assert "run `pipeline topics` first" in str(awaited(settings))
    topics = OutcomeTopics(settings)
    topics.write([topics.logs[0].send(click())])
    topics.load()
    # That the snapshot holds all of it is not enough: the loader may have died of what was changed.
    assert awaited(settings) == f"no loader runs with the home {settings.home}"
    running = Running(settings.home)
    assert awaited(settings) == "the loader has not published since it started"
    running.published()
    topics.reject("invalid", "invalid")
    lacking = f"the snapshot lacks 2 records of {topics.topics.rejected.name}"
    assert awaited(settings) == lacking
    running.close()
    with loading(settings):
        assert settle(settings, timedelta(minutes=2), lambda _: None) is None


def test_what_is_awaited_is_said_until_it_comes(settings: Settings) -> None:
    topics = OutcomeTopics(settings)
    beacons = topics.topics.beacons.name
    commit(topics, topic_id=topics.logs[0].topic_id)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    producer.produce(beacons, b"x", partition=0)  # a worker's outcome of it follows below
    assert producer.flush(60) == 0
    command = [sys.executable, "-m", "pipeline", "status", "--wait"]
    with loading(settings):
        gave_up = subprocess.run(
            [*command, "0s"],
            env=environment(settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (gave_up.returncode, gave_up.stdout) == (1, "")
        assert gave_up.stderr.startswith("Error: after 0 s: the ")
        with subprocess.Popen(
            [*command, "2m"],
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stderr is not None
            lacking = f"waiting: the snapshot lacks 1 records of {beacons}\n"
            assert lacking in iter(waiting.stderr.readline, "")
            topics.write([topics.logs[0].send(click())])
            shown, _ = waiting.communicate()
        assert waiting.returncode == 0
        assert "snapshot: published" in shown
