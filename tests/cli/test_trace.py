"""`pipeline trace` of an event and of a record, at each stage."""

from __future__ import annotations

import subprocess

import msgspec
import pytest
from confluent_kafka import Producer
from factories import MORNING, cart, click, purchase
from kafka_outcomes import OutcomeTopics
from processes import run_python

from pipeline.config import Settings
from pipeline.topics import Rejected


def trace(settings: Settings, wanted: str) -> subprocess.CompletedProcess[str]:
    return run_python(settings, "-m", "pipeline", "trace", wanted)


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    found = OutcomeTopics(settings)
    log = found.logs[2]
    found.write(
        [
            log.send(click(0, event_id="the-click")),
            log.send(cart(1, "token", event_id="the-cart")),
            log.send(purchase(2, event_id="the-purchase")),
            log.send(click(0, event_id="the-click")),
            log.send(click(5)),
        ]
    )
    refused = {"event_id": "the-refused", "event_type": "unknown"}
    found.write_rejected(
        Rejected(
            store_id="store",
            received_at=MORNING,
            index=0,
            reason="unknown_event_type",
            detail="event_type: unknown",
            raw=msgspec.json.encode(refused).decode(),
        )
    )
    found.load()
    return found


def test_an_event_is_told_from_its_door_to_its_rows(topics: OutcomeTopics) -> None:
    done = trace(topics.settings, "the-purchase")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first.startswith("purchase the-purchase of store store, ")
    assert "record 2:2 of beacons; in events" in second
    assert third == "  1 order lines, 1 conversions"


def test_a_click_is_told_with_its_path_and_its_repeat(topics: OutcomeTopics) -> None:
    lines = trace(topics.settings, "the-click").stdout.splitlines()
    assert "touches on paths" in lines[2]
    assert lines[3].startswith("  came again (")
    assert lines[3].endswith("record 2:3: dropped")


def test_a_refusal_is_told_with_its_reason(topics: OutcomeTopics) -> None:
    said = trace(topics.settings, "the-refused").stdout
    assert said.startswith("refused at ")
    assert "unknown_event_type, event_type: unknown" in said


def test_an_event_without_an_id_is_found_by_the_name_it_is_given(topics: OutcomeTopics) -> None:
    told = trace(topics.settings, "2:4").stdout.splitlines()[1:]
    name = told[0].split()[1]
    assert trace(topics.settings, name).stdout.splitlines() == told


def test_a_record_is_told_by_its_place(topics: OutcomeTopics) -> None:
    # Kafka's `beacons` has none: these outcomes are the test's own.
    lines = trace(topics.settings, "2:3").stdout.splitlines()
    assert lines[0] == "record 2:3 of beacons: in the snapshot"
    assert lines[1].startswith("a repeat (")
    assert trace(topics.settings, "9:0").stdout == "there is no partition 9\n"


def test_what_waits_is_found_in_kafka(topics: OutcomeTopics) -> None:
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    name = topics.topics.beacons.name
    for value in (b"another", b'{"event_id": "the-new"}'):
        producer.produce(name, value, partition=1)
    assert producer.flush(30) == 0
    done = trace(topics.settings, "the-new")
    assert done.stdout == "record 1:1 of beacons: waiting for a worker\n"
    assert trace(topics.settings, "1:2").stdout == (
        "record 1:2 of beacons: not written yet, the next one is 2\n"
    )


def test_what_nobody_knows_is_an_error_and_without_kafka_the_snapshot_is_asked(
    topics: OutcomeTopics,
) -> None:
    done = trace(topics.settings, "nobody's")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing is known of nobody's" in done.stderr
    away = topics.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    done = trace(away, "the-purchase")
    assert done.returncode == 1
    assert "purchase the-purchase" in done.stdout
    assert "does not answer" in done.stderr
