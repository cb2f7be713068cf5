"""The verbs that ask, where all is well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer
from processes import Pipeline

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics


def test_help_lists_the_commands(pipeline: Pipeline) -> None:
    done = pipeline("--help")
    assert done.returncode == 0
    for verb in ("up", "demo", "ingest", "worker", "load", "dashboard", "status"):
        assert re.search(rf"^  {verb} +\S", done.stdout, re.MULTILINE), verb


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    # Before the first line: a reader that leaves after one may read on until the last.
    os.close(reader)
    command = [sys.executable, "-m", "pipeline", "query"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    os.close(writer)
    assert done.stderr == b""


def test_a_store_is_created_once_and_its_token_shown_once(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    made = pipeline("stores", "add", 'my "shop"')
    token = made.stdout.split()[-1]
    kept = (tmp_path / "home" / "stores.toml").read_text()
    assert token not in kept
    again = pipeline("stores", "add", "--first")
    assert (again.returncode, again.stdout.split()[-2:]) == (0, ["exists", "already"])
    assert (tmp_path / "home" / "stores.toml").read_text() == kept


@pytest.fixture
def on_kafka(settings: Settings) -> dict[str, str]:
    create_topics(settings)
    return {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "topic_prefix": settings.topic_prefix,
    }


def test_status_before_the_first_snapshot_says_that_there_is_none(
    pipeline: Pipeline, on_kafka: dict[str, str]
) -> None:
    done = pipeline("status", **on_kafka)
    assert done.returncode == 0, done.stderr
    assert "no snapshot yet" in done.stdout
    assert len(done.stdout.splitlines()) < 25


def test_status_of_a_kafka_that_has_just_started(
    pipeline: Pipeline, tmp_path: Path, cache: Path
) -> None:
    """Its coordinator still reads its log; one way of asking it then kills the asking process."""
    with Broker(tmp_path, cache) as fresh:
        given = {"kafka_bootstrap_servers": fresh.bootstrap_servers}
        assert pipeline("topics", **given).returncode == 0
        done = pipeline("status", **given)
    assert done.returncode == 0, done


def test_status_fails_beyond_the_given_lag(
    pipeline: Pipeline, settings: Settings, on_kafka: dict[str, str]
) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for _ in range(3):
        producer.produce(topics(settings).beacons.name, b"x", partition=2)
    assert producer.flush(30) == 0
    assert pipeline("status", "--behind", "2", **on_kafka).returncode == 1
    assert pipeline("status", "--behind", "3", **on_kafka).returncode == 0


def test_topics_are_created_once(pipeline: Pipeline, on_kafka: dict[str, str]) -> None:
    assert pipeline("topics", **on_kafka).stdout.startswith("all topics exist\n")
