"""`pipeline status` and `trace` where ingest's spool still holds what was answered 204."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from factories import click
from forked import Forked
from kafka_outcomes import OutcomeTopics, commit
from processes import environment

from pipeline.config import Settings
from pipeline.delivery.publisher import Record
from pipeline.delivery.spool import Spool
from pipeline.status.settling import settle

pytestmark = pytest.mark.usefixtures("snapshot")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(settings: Settings, forked: Forked) -> Run:
    def pipeline(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        used = settings.model_copy(update=changed)
        return forked.run(*arguments, cwd=settings.home, environment=environment(used))

    return pipeline


@pytest.fixture
def snapshot(settings: Settings) -> None:
    topics = OutcomeTopics(settings)
    topics.write([topics.logs[0].send(click())])
    topics.load()
    commit(topics, topic_id=topics.logs[0].topic_id)


def keep(settings: Settings, *event_ids: str, seconds: float = 90, instance: int = 0) -> None:
    """In the spool of one ingest, so many seconds ago."""
    spool = Spool(settings.home / "spool", cap=1_000_000)
    spool.open(instance=instance)
    records = [
        Record("beacons", b"device", json.dumps({"event_id": name}).encode()) for name in event_ids
    ]
    spooled_at = int((time.time() - seconds) * 1000)
    spool.write(records, seq=spool.last + 1, spooled_at=spooled_at, delete=[])
    spool.close()


def test_status_counts_what_is_in_the_spools(settings: Settings, run: Run) -> None:
    done = run("status", "--behind", "0", "--older-than", "60s")
    assert (done.returncode, done.stderr) == (0, "")
    assert "spool" not in done.stdout
    keep(settings, "a", "b")
    keep(settings, "c", seconds=0, instance=1)
    done = run("status", "--behind", "2", "--older-than", "60s")
    assert done.returncode == 1
    assert "\nbeacons in ingest's spool: 3, the oldest for 1 min 3" in done.stdout
    behind, waited = done.stderr.splitlines()
    assert behind == "Error: the snapshot is 3 records behind, more than 2"
    assert waited.startswith("Error: a record has waited 1 min 3")
    said = json.loads(run("status", "--json").stdout)
    assert (said["behind"], said["spool"]["records"]) == (3, 3)
    assert 90 <= said["oldest_seconds"] < 600


def test_without_kafka_the_spool_is_told(settings: Settings, run: Run) -> None:
    keep(settings, "a")
    limits = ("--older-than", "60s", "--behind", "0")
    done = run("status", *limits, kafka_bootstrap_servers="127.0.0.1:9")
    assert "Error: the snapshot is at least 1 records behind, more than 0" in done.stderr
    assert "\nbeacons in ingest's spool: 1, the oldest for 1 min 3" in done.stdout
    assert "Error: a record has waited 1 min 3" in done.stderr
    settings.database.unlink()
    done = run("status", kafka_bootstrap_servers="127.0.0.1:9")
    assert "\nbeacons in ingest's spool: 1, the oldest" in done.stdout


def test_what_is_in_the_spool_is_awaited(settings: Settings) -> None:
    keep(settings, "a", "b")
    held = "ingest's spool holds 2 records"
    assert settle(settings, timedelta(0), lambda _: None) == held
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    awaited = settle(away, timedelta(0), lambda _: None)
    assert awaited is not None
    assert awaited.startswith(f"{held}: Kafka at 127.0.0.1:9 does not answer")


def test_a_spool_that_cannot_be_read_is_named(settings: Settings, run: Run) -> None:
    keep(settings, "kept")
    damaged = settings.home / "spool" / "1.db"
    damaged.write_bytes(b"no database at all" * 100)
    why = f"Error: ingest's spool cannot be read: {damaged}: file is not a database"
    done = run("status")
    assert (done.returncode, done.stderr) == (1, f"{why}\n")
    assert "\nbeacons in ingest's spool: 1, the oldest" in done.stdout
    done = run("trace", "kept")
    assert (done.returncode, done.stderr) == (1, f"{why}\n")


def test_an_event_is_found_in_the_spool(settings: Settings, run: Run) -> None:
    keep(settings, "the-first", "é-kept")
    told = "in ingest's spool, records that name it and wait for Kafka: 1\n"
    done = run("trace", "é-kept")
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    done = run("trace", "é-kept", kafka_bootstrap_servers="127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, told)
    assert done.stderr.endswith("; this is what is known here\n")
    assert run("trace", "first").returncode == 1
