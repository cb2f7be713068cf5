"""Which log records of the Kafka clients are logged, and what replaces them."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.kafka.client_log import SETTLING_SECONDS, log_causes
from pipeline.monitoring.kafka_ends import KafkaEnds

client = logging.getLogger("aiokafka.conn")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a process."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    others, root.handlers = root.handlers, [handler]
    level = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.handlers = others
    root.setLevel(level)


def test_while_kafka_is_well_each_kind_of_record_is_logged_once(
    settings: Settings, log: io.StringIO
) -> None:
    with log_causes(settings) as causes:
        for number in range(5):
            client.warning("node %d is slow", number)
        logging.getLogger("pipeline.x").warning("ours")
        assert log.getvalue() == "ours\n"
        causes.told(None)
        causes.told(None)
        assert log.getvalue() == "ours\nnode 4 is slow\n"


def test_while_kafka_is_away_only_the_reason_is_logged(log: io.StringIO) -> None:
    away = Settings(_env_file=None, kafka_bootstrap_servers=f"127.0.0.1:{free_port()}")
    with log_causes(away) as causes:
        client.error("node 1 is gone")
        ends = KafkaEnds(away, [], lambda _: None)
        ends.start(causes.told)
        wait_for(lambda: "does not answer" in log.getvalue())
        client.error("node 1 is gone")
        ends.stop()
    (line,) = log.getvalue().splitlines()
    assert line.startswith(f"Kafka at {away.kafka_bootstrap_servers} does not answer")


@pytest.fixture
def at(settings: Settings, log: io.StringIO) -> Iterator[Callable[..., list[str]]]:
    """Returns what is new in the log once the filter was told, at a second of its clock."""
    now, seen = [0.0], 0
    with log_causes(settings, clock=lambda: now[0]) as causes:

        def told(second: float, problem: str | None = None) -> list[str]:
            nonlocal seen
            now[0] = second
            causes.told(problem)
            lines = log.getvalue().splitlines()
            new, seen = lines[seen:], len(lines)
            return new

        yield told


def test_an_outage_is_a_line_a_minute_and_one_at_its_end(at: Callable[..., list[str]]) -> None:
    client.error("a real error")
    assert at(0) == ["a real error"]
    client.error("no connection")
    assert at(10, "Kafka is away") == ["Kafka is away"]
    for second in range(15, 70, 5):
        client.error("no connection")
        assert at(second, f"Kafka is away since {second}") == []
    assert at(70, "Kafka is away") == ["Kafka is away"]

    client.error("metadata refresh failed")
    (line,) = at(75)
    assert line.endswith("answers again, after 65 s")
    client.error("coordinator is dead")
    assert at(80) == []
    client.error("a real error that lasts")
    assert at(80 + SETTLING_SECONDS) == ["a real error that lasts"]


def test_what_the_clients_say_after_a_pause_of_the_process_is_one_line(
    at: Callable[..., list[str]],
) -> None:
    assert at(0) == []
    client.error("connection lost")
    assert at(60) == ["this process stood still for some 60 s"]
    client.error("coordinator is dead")
    assert at(65) == []
    client.error("a real error that lasts")
    assert at(65 + SETTLING_SECONDS) == ["a real error that lasts"]


def test_after_the_end_records_are_as_before(settings: Settings, log: io.StringIO) -> None:
    with log_causes(settings) as causes:
        client.warning("held")
    client.warning("not held")
    causes.told("Kafka is away")
    assert log.getvalue() == "held\nnot held\n"


def test_of_an_outage_that_goes_on_at_the_end_nothing_is_left(
    settings: Settings, log: io.StringIO
) -> None:
    with log_causes(settings) as causes:
        causes.told("Kafka is away")
        client.warning("no connection")
    assert log.getvalue() == "Kafka is away\n"
