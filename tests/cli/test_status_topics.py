"""`pipeline status` where Kafka's topics are not those that the snapshot or the group knew."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from factories import click
from forked import Forked
from kafka_outcomes import OutcomeTopics, commit
from operated import operated_settings
from processes import environment, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics
from pipeline.monitoring.process_record import ProcessRecord, ProcessState

Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def status(forked: Forked) -> Told:
    """Runs `pipeline status` with settings and options."""
    return lambda settings, *options: forked.run(
        "status", *options, cwd=settings.home, environment=environment(settings)
    )


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    """For a test that changes them."""
    return loaded(settings)


@pytest.fixture(scope="module")
def unchanged(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> OutcomeTopics:
    """For all tests that only read."""
    found = loaded(operated_settings(kafka, tmp_path_factory.mktemp("home")))
    commit(found, topic_id=found.logs[0].topic_id)
    return found


def loaded(settings: Settings) -> OutcomeTopics:
    found = OutcomeTopics(settings)
    found.write([found.logs[0].send(click())])
    found.reject("invalid")
    found.load()
    return found


def test_unchanged_topics_are_no_error(unchanged: OutcomeTopics, status: Told) -> None:
    done = status(unchanged.settings)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_of_it_is_one_json_object(unchanged: OutcomeTopics, status: Told) -> None:
    found = json.loads(status(unchanged.settings, "--json").stdout)
    assert found["behind"] == 0
    assert found["partitions"][0]["ledger"]["events"] == 1
    assert found["snapshot"]["rejected"] == 1
    assert found["disk"]["snapshot"] == unchanged.settings.database.stat().st_size


def test_another_number_of_partitions_is_named_and_nothing_is_left_out(
    topics: OutcomeTopics, status: Told
) -> None:
    commit(topics, topic_id=topics.logs[0].topic_id)
    actual = topics.settings.partitions
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    producer.produce(topics.topics.beacons.name, b"x", partition=actual - 1)
    assert producer.flush(30) == 0
    for other in (actual - 1, actual + 1):
        done = status(topics.settings.model_copy(update={"partitions": other}), "--behind", "0")
        assert done.returncode == 1
        differing, behind = done.stderr.splitlines()
        told = f"topic {topics.topics.beacons.name} has {actual} partitions, not {other}: set"
        assert differing.startswith(f"Error: {told} PIPELINE_PARTITIONS={actual}")
        assert behind == "Error: the snapshot is 1 records behind, more than 0"


def test_what_waits_is_told_with_its_age_and_its_end(topics: OutcomeTopics, status: Told) -> None:
    commit(topics, topic_id=topics.logs[0].topic_id)
    producer = Producer({"bootstrap.servers": topics.settings.kafka_bootstrap_servers})
    for partition in (0, 0, 2):  # the first is committed
        producer.produce(topics.topics.beacons.name, b"x", partition=partition)
    assert producer.flush(30) == 0
    topics.write([topics.logs[0].send(click())])
    found, at = json.loads(status(topics.settings, "--json").stdout), datetime.fromisoformat
    waiting = {(each["what"], each["partition"]): each for each in found["flow"]["waiting"]}
    assert {place: each["records"] for place, each in waiting.items()} == {
        ("unprocessed beacons", 0): 1,
        ("unprocessed beacons", 2): 1,
        ("outcomes that are not published", 0): 1,
    }
    kept = {
        name: at(each["expires_at"]) - at(each["written_at"]) for (name, _), each in waiting.items()
    }
    assert kept == {
        "unprocessed beacons": timedelta(days=7),
        "outcomes that are not published": timedelta(days=14),
    }
    assert found["flow"]["beacons_per_second"] == pytest.approx(3 / 300)
    done = status(topics.settings)
    assert re.search(r"unprocessed beacons: 2, .* they expire in 6 d 23 h", done.stdout)
    assert status(topics.settings, "--older-than", "1h", "--behind", "5").returncode == 0
    done = status(topics.settings, "--older-than", "0s", "--behind", "1")
    assert done.returncode == 1
    old, behind = done.stderr.splitlines()[::-1]
    assert re.fullmatch(
        r"Error: a record has waited \d.* to be in the snapshot, longer than 0 s", old
    )
    assert behind == "Error: the snapshot is 2 records behind, more than 1"


def test_without_kafka_the_snapshot_tells_what_it_knows(
    unchanged: OutcomeTopics, status: Told
) -> None:
    away = unchanged.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    done = status(away)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "rejected events: ?, published: 1" in done.stdout
    found = json.loads(status(away, "--json").stdout)
    assert (found["behind"], found["partitions"][0]["ledger"]["events"]) == (None, 1)
    assert "does not answer" in found["errors"][0]


def test_without_kafka_and_snapshot_it_is_one_error_and_still_json(
    settings: Settings, status: Told
) -> None:
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    ProcessRecord.of_this_process([], ended="no room").record(settings.home)
    done = status(away)
    assert done.returncode == 1
    assert "rejected events: ?; no snapshot yet" in done.stdout
    assert "`pipeline up` gave up: no room" in done.stdout
    assert re.fullmatch(
        r"Error: Kafka .* does not answer .*; nor is there a snapshot\n", done.stderr
    )
    found = json.loads(status(away, "--json").stdout)
    assert (found["partitions"], found["snapshot"], found["up"]["ended"]) == ([], None, "no room")


def test_what_keeps_dying_is_named_while_up_runs(unchanged: OutcomeTopics, status: Told) -> None:
    home = unchanged.settings.home
    state = ProcessState("worker-2", False, 3, 4, "worker ended with code 1: Error: no room")
    record = ProcessRecord.of_this_process([state])
    record.record(home)
    said = (
        "worker-2: restarted 3 times, and does not run; last: worker ended with code 1: Error: no"
    )
    assert said in status(unchanged.settings).stdout
    waits = msgspec.structs.replace(state, starts_at=datetime.now(UTC) + timedelta(hours=1))
    msgspec.structs.replace(record, processes=[waits]).record(home)
    assert re.search(
        r"does not run; next try in 3\d{3} s; last: ", status(unchanged.settings).stdout
    )
    # Another process has the number now: that `up` was killed.
    msgspec.structs.replace(record, started=1.0).record(home)
    assert "worker-2" not in status(unchanged.settings).stdout
    msgspec.structs.replace(record, started=1.0, ended="worker-2 has died 10 times").record(home)
    assert "`pipeline up` gave up: worker-2 has died 10" in status(unchanged.settings).stdout
    (home / "up.json").unlink()


def test_disk_use_is_a_table_of_its_own(unchanged: OutcomeTopics, status: Told) -> None:
    assert "table hot_events" in status(unchanged.settings, "--disk").stdout
    assert "table hot_events" not in status(unchanged.settings).stdout


def test_a_commit_of_another_topic_is_reported(topics: OutcomeTopics, status: Told) -> None:
    commit(topics, topic_id="another")
    done = status(topics.settings)
    assert done.returncode == 1
    assert "the group's commit is of another topic (id another," in done.stderr


@pytest.mark.parametrize("name", ["beacons", "outcomes", "rejected"])
def test_a_recreated_topic_is_reported(topics: OutcomeTopics, status: Told, name: str) -> None:
    settings, topic = topics.settings, getattr(topics.topics, name)
    commit(topics, topic_id=topics.logs[0].topic_id)
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([topic.name])[topic.name].result()
    wait_for(lambda: topic.name in create_topics(settings))
    done = status(settings)
    assert done.returncode == 1
    assert f"(topic ids differ): {topic.name};" in done.stderr
    if name == "rejected":
        assert "rejected events: 0, published: 0" in done.stdout


def test_a_missing_topic_is_reported(settings: Settings, status: Told) -> None:
    done = status(settings)
    assert done.returncode == 1
    assert f"no topic {settings.topic_prefix}beacons: run `pipeline topics` first" in done.stderr


def test_a_held_snapshot_is_not_reported_as_missing(topics: OutcomeTopics, status: Told) -> None:
    topics.load()
    path = topics.settings.database
    # A lock, as of another process that has it open for writing.
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'r+b' if len(sys.argv) > 2 else 'rb');"
        "fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    )
    path.chmod(0o600)
    command = [sys.executable, "-c", program, str(path), "write"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done = status(topics.settings)
        holder.kill()
    assert done.returncode == 1
    assert "is it open for writing?" in done.stderr
    assert "no snapshot" not in done.stdout + done.stderr
