"""Which log records of the Kafka clients are logged, and what replaces them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.kafka.client_log import log_causes

client = logging.getLogger("aiokafka.conn")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a process."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    others, root.handlers = root.handlers, [handler]
    yield stream
    root.handlers = others


def test_while_kafka_is_well_each_kind_of_record_is_logged_once(
    settings: Settings, log: io.StringIO
) -> None:
    log_causes(settings)
    for number in range(5):
        client.warning("node %d is slow", number)
    logging.getLogger("pipeline.x").warning("ours")
    assert log.getvalue() == "ours\n"
    wait_for(lambda: log.getvalue() == "ours\nnode 4 is slow\n")


def test_while_kafka_is_away_only_the_reason_is_logged(log: io.StringIO) -> None:
    away = f"127.0.0.1:{free_port()}"
    log_causes(Settings(_env_file=None, kafka_bootstrap_servers=away))
    client.error("node 1 is gone")
    wait_for(lambda: "does not answer" in log.getvalue())
    client.error("node 1 is gone")
    (line,) = log.getvalue().splitlines()
    assert line.startswith(f"Kafka at {away} does not answer")
