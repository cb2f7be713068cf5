"""`pipeline partitions` on a real Kafka: the tables of one that had as many all along."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from beacons import BeaconProducer, accepted, write_traffic
from confluent_kafka.admin import AdminClient, NewPartitions
from kafka_outcomes import loading, rows
from processes import Verb, run_python, wait_for, wait_published
from tables import assert_those_of_a_quiet_day, broken_checks

from pipeline.config import Settings
from pipeline.ingest.accept import Accepted
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.topics import topics

MORE = 6
# Dies when the partitions are there, when the keys are in the changelog, when the group has the
# commits, and in the last transaction.
DIES = """
import os, signal, sys
from pipeline.cli.main import main
from pipeline.kafka import admin
from pipeline.stream import handover
from pipeline.warehouse.rebuild import partitions

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

def dying_after(function):
    def call(*args, **options):
        function(*args, **options)
        die()
    return call

step = sys.argv[1]
if step == "partitions":
    admin._wait_until_known = dying_after(admin._wait_until_known)
elif step == "keys":
    handover._commit = die
elif step == "commits":
    handover._commit = dying_after(handover._commit)
elif step == "warehouse":
    partitions.begin_with_keys = dying_after(partitions.begin_with_keys)
main(["partitions", sys.argv[2]])
"""
STEPS = ("partitions", "keys", "commits", "warehouse")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A week of traffic comes in seconds, and a record that is moved comes after later ones."""
    return settings.model_copy(update={"lateness": timedelta(days=8)})


@pytest.fixture
def requests(tmp_path: Path) -> list[Accepted]:
    return list(accepted(write_traffic(tmp_path / "traffic.ndjson", devices=60)))


@pytest.fixture
def worker(settings: Settings) -> Iterator[Verb]:
    create_topics(settings)
    running = Verb("worker", settings)
    yield running
    running.kill()


@pytest.fixture
def more(settings: Settings) -> Settings:
    return settings.model_copy(update={"partitions": MORE})


def run(
    settings: Settings, number: int = MORE, *, dies: str = ""
) -> subprocess.CompletedProcess[str]:
    program = ("-c", DIES, dies) if dies else ("-m", "pipeline", "partitions")
    return run_python(settings, *program, str(number))


def said(settings: Settings, verb: str) -> str:
    """What a process says that refuses to start."""
    running = Verb(verb, settings, name=f"refused-{verb}")
    try:
        wait_for(running.is_ended)
        return running.said()
    finally:
        running.kill()


def outcomes(settings: Settings) -> int:
    return sum(end_offsets(settings, topics(settings).outcomes).values())


def add_by_hand(settings: Settings, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for future in admin.create_partitions([NewPartitions(name, MORE) for name in names]).values():
        future.result(30)


def test_partitions_are_added_in_the_middle_of_the_log_whatever_is_killed(
    settings: Settings,
    more: Settings,
    requests: list[Accepted],
    worker: Verb,
    tmp_path: Path,
) -> None:
    producer, stale = BeaconProducer(settings), BeaconProducer(settings, settings.partitions)
    third = len(requests) // 3
    records = producer.send(requests[:third])
    with loading(settings):
        wait_published(settings)
    # What the workers answer now is never loaded: it is of before.
    records += producer.send(requests[third : third + 50])
    wait_for(lambda: outcomes(settings) == records)
    done = run(settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "workers are running" in done.stderr
    assert worker.stop() == 0
    # Neither a worker nor a loader has read it.
    stale.send(requests[third + 50 : third + 100])

    # As after a kill between two topics.
    add_by_hand(settings, topics(settings).beacons.name)
    assert "has 6 partitions, not 4: set PIPELINE_PARTITIONS=6" in said(settings, "worker")
    assert "not 6: set PIPELINE_PARTITIONS=4, or add partitions with" in said(more, "load")
    for step in STEPS:
        assert run(settings, dies=step).returncode == -signal.SIGKILL, step
        # Nothing goes on with devices in partitions that do not know their keys.
        assert "has 6 partitions, not 4" in said(settings, "load"), step
        if step in ("partitions", "keys"):
            assert "run `pipeline partitions 6`" in said(more, "worker"), step
    done = run(settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("there are now 6 partitions: set PIPELINE_PARTITIONS=6")
    # Whatever the setting is.
    assert run(more).stdout.startswith("there were already 6 partitions")
    assert "Kafka can take none away" in run(more, 5).stderr

    # Before the workers start, and after: some from an ingest that has not seen the new ones.
    rest = requests[third + 100 :]
    half = len(rest) // 2
    producer = BeaconProducer(more)
    stale.send(rest[:50])
    producer.send(rest[50:half])
    worker.settings = more
    worker.start()
    with loading(more):
        stale.send(rest[half : half + 50])
        producer.send(rest[half + 50 :])
        # Repeats of events of before.
        producer.send(replace(one, rejected=[]) for one in requests[: third + 100 : 5])
        wait_published(more)
    assert rows(more, "SELECT len(former) FROM rules") == [(1,)]
    assert rows(more, "SELECT count(*) FROM ledger") == [(MORE,)]
    assert rows(more, "SELECT count(*) > 500 FROM events WHERE NOT is_late") == [(True,)]
    assert_those_of_a_quiet_day(more, tmp_path / "traffic.ndjson", tmp_path)
    assert worker.stop() == 0


def test_partitions_that_were_added_by_other_means_are_refused_until_the_command_has_run(
    settings: Settings, more: Settings, requests: list[Accepted], worker: Verb
) -> None:
    producer = BeaconProducer(settings)
    producer.send(requests[:100])
    with loading(settings):
        wait_published(settings)
    assert worker.stop() == 0
    add_by_hand(settings, *(topic.name for topic in topics(settings).all() if topic.is_by_device))
    wait_for(lambda: len(end_offsets(more, topics(more).outcomes)) == MORE)
    assert "the state was made with 4 partitions, now there are 6" in said(more, "worker")
    assert run(settings).returncode == 0
    worker.settings = more
    worker.start()
    BeaconProducer(more).send(requests[100:200])
    with loading(more):
        wait_published(more)
    assert broken_checks(more.database) == []
