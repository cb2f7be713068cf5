"""A Kafka that holds its connections and answers nothing: commands say so, and end."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from processes import Pipeline, paused, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka import admin
from pipeline.kafka.admin import create_topics, end_offsets, offsets_at
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.errors import KafkaAwayError, KafkaUnusableError
from pipeline.topics import topics


def answers(settings: Settings) -> bool:
    with suppress(KafkaUnusableError):
        return end_offsets(settings, topics(settings).beacons).keys() == {0, 1, 2, 3}
    return False


def test_commands_say_so_and_end_whenever_kafka_begins_to_hang(
    pipeline: Pipeline, settings: Settings, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(settings)
    address, beacons = settings.kafka_bootstrap_servers, topics(settings).beacons
    client = KafkaAdmin(settings)
    asked: list[Any] = [
        lambda: end_offsets(settings, beacons, kafka=client),
        lambda: offsets_at(settings, beacons, None, kafka=client),
        lambda: offsets_at(settings, beacons, datetime.now(UTC), kafka=client),
    ]
    for ask in asked:
        assert set(ask()) == {0, 1, 2, 3}
    with paused(kafka), monkeypatch.context() as hasty:
        hasty.setattr(admin, "SECONDS", 0.2)
        # It has answered before.
        began = time.monotonic()
        for ask in asked:
            with pytest.raises(KafkaAwayError, match=r"does not answer .*\(to read "):
                ask()
        # librdkafka alone would search for each partition's leader for a minute.
        assert time.monotonic() - began < 60
        # It has not.
        for verb in ("status", "trace 0:1", "topics"):
            done = pipeline(*verb.split(), kafka_bootstrap_servers=address, patience=0.5)
            assert done.returncode == 1
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"Error: Kafka at {address} does not answer"), line
    # For the tests that follow.
    wait_for(lambda: answers(settings))
