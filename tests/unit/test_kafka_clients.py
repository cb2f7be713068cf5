"""A client of a Kafka that is away: processes ask it for days, and collect garbage seldom."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaAwayError


def librdkafka_threads() -> set[str]:
    """Of this process."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().startswith("rdk:"):
                found.add(task.name)
        except FileNotFoundError:
            continue  # it has just ended
    return found


@pytest.fixture
def _no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collection")
def test_it_leaves_no_thread_behind() -> None:
    away = Settings(_env_file=None, kafka_bootstrap_servers=f"127.0.0.1:{free_port()}")
    before = librdkafka_threads()
    for _ in range(2):
        try:
            KafkaAdmin(away, patience=0.1)
        except KafkaAwayError:
            continue
        pytest.fail("there is no Kafka")
    wait_for(lambda: librdkafka_threads() <= before)
