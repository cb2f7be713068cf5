"""`pipeline status` where Kafka's topics are not those that the snapshot or the group knew."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from factories import click
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka_outcomes import OutcomeTopics
from processes import run_python, wait_for

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics
from pipeline.monitoring.process_record import ProcessRecord, ProcessState
from pipeline.stream.checkpoint import Checkpoint
from pipeline.topics import group


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    found = OutcomeTopics(settings)
    found.write([found.logs[0].send(click())])
    found.reject("invalid")
    found.load()
    return found


def commit(topics: OutcomeTopics, *, topic_id: str) -> None:
    """The commit of a worker after one record."""
    settings = topics.settings
    rules = settings.rules.digest()
    checkpoint = Checkpoint(offset=1, stream_time=None, topic_id=topic_id, rules=rules)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group(settings),
        enable_auto_commit=False,
    )
    place = TopicPartition(topics.topics.beacons.name, 0)
    consumer.assign([place])
    consumer.commit({place: OffsetAndMetadata(1, checkpoint.metadata(), -1)})
    consumer.close()


def status(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    return run_python(settings, "-m", "pipeline", "status", *options)


def test_unchanged_topics_are_no_error(topics: OutcomeTopics) -> None:
    commit(topics, topic_id=topics.logs[0].topic_id)
    done = status(topics.settings)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_of_it_is_one_json_object(topics: OutcomeTopics) -> None:
    found = json.loads(status(topics.settings, "--json").stdout)
    assert found["behind"] == 0
    assert found["partitions"][0]["ledger"]["events"] == 1
    assert found["snapshot"]["rejected"] == 1
    assert found["disk"]["snapshot"] == topics.settings.database.stat().st_size


def test_what_waits_is_told_with_its_age_and_its_end(topics: OutcomeTopics) -> None:
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
    assert status(topics.settings, "--older-than", "1h").returncode == 0
    assert status(topics.settings, "--older-than", "0s").returncode == 1


def test_without_kafka_the_snapshot_tells_what_it_knows(topics: OutcomeTopics) -> None:
    away = topics.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    done = status(away)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "rejected events: ?, published: 1" in done.stdout
    found = json.loads(status(away, "--json").stdout)
    assert (found["behind"], found["partitions"][0]["ledger"]["events"]) == (None, 1)
    assert "does not answer" in found["errors"][0]


def test_what_keeps_dying_is_named_while_up_runs(topics: OutcomeTopics) -> None:
    home = topics.settings.home
    state = ProcessState("worker-2", False, 3, 4, "worker ended with code 1: Error: no room")
    record = ProcessRecord.of_this_process([state])
    record.record(home)
    said = (
        "worker-2: restarted 3 times, and does not run; last: worker ended with code 1: Error: no"
    )
    assert said in status(topics.settings).stdout
    # Another process has the number now: that `up` was killed.
    msgspec.structs.replace(record, started=1.0).record(home)
    assert "worker-2" not in status(topics.settings).stdout
    msgspec.structs.replace(record, started=1.0, ended="worker-2 has died 10 times").record(home)
    assert "`pipeline up` gave up: worker-2 has died 10" in status(topics.settings).stdout


def test_disk_use_is_a_table_of_its_own(topics: OutcomeTopics) -> None:
    assert "table hot_events" in status(topics.settings, "--disk").stdout
    assert "table hot_events" not in status(topics.settings).stdout


def test_a_commit_of_another_topic_is_reported(topics: OutcomeTopics) -> None:
    commit(topics, topic_id="another")
    done = status(topics.settings)
    assert done.returncode == 1
    assert "the group's commit is of another topic (id another," in done.stderr


@pytest.mark.parametrize("name", ["beacons", "outcomes", "rejected"])
def test_a_recreated_topic_is_reported(topics: OutcomeTopics, name: str) -> None:
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


def test_a_missing_topic_is_reported(settings: Settings) -> None:
    done = status(settings)
    assert done.returncode == 1
    assert f"no topic {settings.topic_prefix}beacons: run `pipeline topics` first" in done.stderr


def test_a_held_snapshot_is_not_reported_as_missing(topics: OutcomeTopics) -> None:
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
