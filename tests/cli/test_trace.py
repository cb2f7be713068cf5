"""`pipeline trace` of an event and of a record, at each stage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import Producer
from factories import MORNING, cart, click, purchase
from forked import Forked
from kafka_outcomes import OutcomeTopics
from operated import operated_settings
from processes import Pipeline, environment

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.status import status
from pipeline.status.unpublished import Found, search
from pipeline.topics import Rejected

Trace = Callable[[Settings, str], subprocess.CompletedProcess[str]]


@pytest.fixture
def trace(forked: Forked) -> Trace:
    return lambda settings, wanted: forked.run(
        "trace", wanted, cwd=settings.home, environment=environment(settings)
    )


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    """For a test that writes more."""
    return loaded(settings)


@pytest.fixture(scope="module")
def known(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> OutcomeTopics:
    """For all tests that only read."""
    return loaded(operated_settings(kafka, tmp_path_factory.mktemp("home")))


def loaded(settings: Settings) -> OutcomeTopics:
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
    found.write_rejected(refused("the-refused"))
    found.load()
    return found


def refused(event_id: str) -> Rejected:
    return Rejected(
        store_id="store",
        received_at=MORNING,
        index=0,
        reason="unknown_event_type",
        detail="event_type: unknown",
        raw=json.dumps({"event_id": event_id, "event_type": "unknown"}),
    )


def test_an_event_is_told_from_its_door_to_its_rows(known: OutcomeTopics, trace: Trace) -> None:
    done = trace(known.settings, "the-purchase")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first.startswith("purchase the-purchase of store store, ")
    assert "record 2:2 of beacons; in events" in second
    assert third == "  1 order lines, 1 conversions"


def test_a_click_is_told_with_its_path_and_its_repeat(known: OutcomeTopics, trace: Trace) -> None:
    lines = trace(known.settings, "the-click").stdout.splitlines()
    assert "touches on paths" in lines[2]
    assert lines[3].startswith("  came again (")
    assert lines[3].endswith("record 2:3: dropped")


def test_a_refusal_is_told_with_its_reason(known: OutcomeTopics, trace: Trace) -> None:
    said = trace(known.settings, "the-refused").stdout
    assert said.startswith("refused at ")
    assert "unknown_event_type, event_type: unknown" in said


def test_an_event_without_an_id_is_found_by_the_name_it_is_given(
    known: OutcomeTopics, trace: Trace
) -> None:
    told = trace(known.settings, "2:4").stdout.splitlines()[1:]
    name = told[0].split()[1]
    assert trace(known.settings, name).stdout.splitlines() == told


def test_a_record_is_told_by_its_place(known: OutcomeTopics, trace: Trace) -> None:
    # Kafka's `beacons` has none: these outcomes are the test's own.
    lines = trace(known.settings, "2:3").stdout.splitlines()
    assert lines[0] == "record 2:3 of beacons: in the snapshot"
    assert lines[1].startswith("a repeat (")
    done = trace(known.settings, "9:0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: beacons has no partition 9\n"


def test_what_waits_is_found_in_kafka(topics: OutcomeTopics, trace: Trace) -> None:
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    name = topics.topics.beacons.name
    for value in (b'{"event_id": "the-newer"}', b'{"event_id": "the-new"}'):
        producer.produce(name, value, partition=1)
    assert producer.flush(30) == 0
    done = trace(topics.settings, "the-new")
    assert (done.returncode, done.stdout) == (0, "record 1:1 of beacons: waiting for a worker\n")
    done = trace(topics.settings, "1:2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: record 1:2 of beacons: not written yet, the next one is 2\n"


def test_a_refusal_that_waits_is_found_in_kafka(topics: OutcomeTopics, trace: Trace) -> None:
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    for value in (b"none", b"", b"[]"):  # somebody else's
        producer.produce(topics.topics.rejected.name, value)
    assert producer.flush(30) == 0
    for raw in ("[" * 100_000, "{", '"é-new"', "[]", '{"event_id": null}'):
        topics.write_rejected(msgspec.structs.replace(refused("é-newer"), raw=raw))
    topics.write_rejected(refused("é-newer"), refused("é-new"), refused("the-last"))
    done = trace(topics.settings, "é-new")
    assert (done.returncode, done.stderr) == (0, "")
    published = trace(topics.settings, "the-refused").stdout.strip()
    assert done.stdout == f"{published}; waiting for the loader or its next snapshot\n"


def test_an_empty_id_is_wrong_usage(pipeline: Pipeline) -> None:
    for empty in ("", " "):
        done = pipeline("trace", empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1] == "Error: an empty id names no event"


def test_what_was_not_searched_is_said(
    topics: OutcomeTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    producer.produce(topics.topics.beacons.name, b"another", partition=1)
    assert producer.flush(30) == 0
    found = status(topics.settings)
    assert search(topics.settings, found, "the-new") == Found([], [], 0)
    topics.write_rejected(refused("the-new"))
    monkeypatch.setattr("pipeline.status.unpublished.PATIENCE", 0)
    assert search(topics.settings, found, "the-new") == Found([], [], 2)


def test_what_nobody_knows_is_an_error_and_without_kafka_the_snapshot_is_asked(
    known: OutcomeTopics,
    trace: Trace,
) -> None:
    done = trace(known.settings, "nobody's")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing is known of nobody's" in done.stderr
    away = known.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    done = trace(away, "the-purchase")
    assert done.returncode == 1
    assert "purchase the-purchase" in done.stdout
    assert "does not answer (connection refused)" in done.stderr  # at once, not after 10 s
