"""`pipeline rules adopt` on a real Kafka: the tables of one that had the new rules all along."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from beacons import BeaconProducer, accepted, write_traffic
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_outcomes import loading, rows
from processes import Verb, run_python, wait_for, wait_published
from tables import assert_those_of_a_quiet_day, broken_checks

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.topics import topics

# Dies when the workers' group has the commits, and the new file not yet its name.
DIES = """
import os, signal
from pathlib import Path
from pipeline.cli.main import main
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["rules", "adopt"])
"""


@pytest.fixture
def others(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "session_gap": timedelta(minutes=3),
            "lookback": timedelta(hours=30),
            "lateness": timedelta(hours=100),
        }
    )


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    return write_traffic(tmp_path / "traffic.ndjson", devices=60)


@pytest.fixture
def worker(settings: Settings) -> Iterator[Verb]:
    create_topics(settings)
    running = Verb("worker", settings)
    yield running
    running.kill()


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(settings, *(arguments or ("-m", "pipeline", "rules", "adopt")))


def outcomes(settings: Settings) -> int:
    return sum(end_offsets(settings, topics(settings).outcomes).values())


def test_other_rules_are_adopted_in_the_middle_of_the_log(
    settings: Settings, others: Settings, traffic: Path, worker: Verb, tmp_path: Path
) -> None:
    requests, producer = list(accepted(traffic)), BeaconProducer(settings)
    third = len(requests) // 3
    records = producer.send(requests[:third])
    with loading(settings):
        wait_published(settings)
    # What the workers answer now is never loaded: it is of the former rules.
    records += producer.send(requests[third : third + 50])
    wait_for(lambda: outcomes(settings) == records)

    done = run(others)
    assert (done.returncode, done.stdout) == (1, "")
    assert "workers are running" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert worker.stop() == 0

    assert run(others, "-c", DIES).returncode == -signal.SIGKILL
    before = settings.live_database.read_bytes()
    done = run(others)
    assert (done.returncode, done.stderr) == (0, "")
    assert settings.live_database.read_bytes() != before
    assert "sessions" in done.stdout
    # Readers keep the snapshot that they have.
    assert rows(settings, "SELECT gap FROM rules") == [(timedelta(minutes=30),)]

    producer.send(requests[third + 50 :])
    worker.settings = others
    worker.start()
    with loading(others):
        wait_published(others)
    assert rows(others, "SELECT gap, len(former) FROM rules") == [(timedelta(minutes=3), 1)]
    # The stream has taken over again.
    assert rows(others, "SELECT count(*) > 500 FROM events WHERE NOT is_late") == [(True,)]
    assert_those_of_a_quiet_day(others, traffic, tmp_path)
    assert worker.stop() == 0


def test_what_kafka_no_longer_holds_cannot_be_adopted(
    settings: Settings, others: Settings, traffic: Path, worker: Verb
) -> None:
    requests, producer = list(accepted(traffic)), BeaconProducer(settings)
    producer.send(requests[:50])
    with loading(settings):
        wait_published(settings)
    producer.send(requests[50:200])
    beacons = topics(settings).beacons
    ends = end_offsets(settings, beacons)
    wait_for(lambda: outcomes(settings) == sum(ends.values()))
    assert worker.stop() == 0
    gone = [TopicPartition(beacons.name, number, end) for number, end in ends.items()]
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for future in admin.delete_records(gone).values():
        future.result(30)
    done = run(others)
    assert done.returncode == 1
    assert "beacons no longer holds offset" in done.stderr
    # As it says: the former rules go on.
    with loading(settings):
        wait_published(settings)
    assert broken_checks(settings.database) == []
    assert run(others).returncode == 0
