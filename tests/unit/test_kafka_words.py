"""What of a client's words is told, and what in their place."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.kafka.client_log import tell_causes

client = logging.getLogger("aiokafka.conn")


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """The log of a process."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    others, root.handlers = root.handlers, [handler]
    yield stream
    root.handlers = others


def test_of_a_kafka_that_is_well_each_kind_is_told_once(
    settings: Settings, told: io.StringIO
) -> None:
    tell_causes(settings)
    for number in range(5):
        client.warning("node %d is slow", number)
    logging.getLogger("pipeline.x").warning("ours")
    assert told.getvalue() == "ours\n"
    wait_for(lambda: told.getvalue() == "ours\nnode 4 is slow\n", seconds=30)


def test_of_one_that_is_away_the_reason_is_told_and_nothing_else(told: io.StringIO) -> None:
    away = f"127.0.0.1:{free_port()}"
    tell_causes(Settings(_env_file=None, kafka_bootstrap_servers=away))
    client.error("node 1 is gone")
    wait_for(lambda: "does not answer" in told.getvalue(), seconds=30)
    client.error("node 1 is gone")
    (line,) = told.getvalue().splitlines()
    assert line.startswith(f"Kafka at {away} does not answer")
