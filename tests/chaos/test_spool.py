"""Kafka hangs, dies and restarts, and ingest is killed: each 204 is on Kafka, counted once.

The short form runs with the tests; `make chaos ARGS=--kills=60` is the long one.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from device_clients import LIMIT, DeviceClients, sending
from processes import paused, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics

# Seconds that Kafka hangs, and then runs, again and again.
OUTAGES = {
    "each answer takes five seconds": [(5.0, 0.2)] * 2,
    "it comes and goes": [(0.3, 0.3), (1.5, 0.1), (0.8, 0.8)] * 2,
}
LONG_OUTAGES = {
    "away for ten seconds": [(10.0, 1.0)],
    "away for three minutes": [(180.0, 1.0)],
    "it comes and goes for minutes": [(0.3, 0.3), (1.5, 0.1), (0.8, 0.8), (3.0, 0.2)] * 20,
}
# Seconds between two events of a client: all of them are counted at the end.
REST = 0.05
# Half a second of what the clients send.
SMALL_CAP = 256 * 1024


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture
def prepared(settings: Settings) -> Settings:
    create_topics(settings)
    return settings


def test_kill_9_of_ingest_in_and_after_a_pause(
    kafka: Broker, prepared: Settings, kills: int
) -> None:
    dice = random.Random(kills)  # noqa: S311  # when it dies
    with sending(prepared, rest=REST) as clients:
        wait_for(lambda: "go straight to it" in clients.ingest.said())
        for number in range(kills):
            time.sleep(dice.uniform(0.5, 1.5))
            with paused(kafka):
                # The first is certainly noticed; some of the others are too short.
                time.sleep(dice.uniform(0.2, 3) if number else LIMIT.total_seconds() + 1)
                clients.ingest.kill()
                clients.ingest.start()
                time.sleep(dice.uniform(0.5, 3))
        time.sleep(1)
    assert "records go to the spool" in clients.ingest.said()


def assert_answered(clients: DeviceClients) -> None:
    """Now there are answers, and more than the one that each client may have waited for."""
    before = clients.statuses[204]
    wait_for(lambda: clients.statuses[204] > before + len(clients.clients))


@pytest.mark.parametrize(
    "outage",
    [*OUTAGES, *(pytest.param(outage, marks=pytest.mark.long) for outage in LONG_OUTAGES)],
)
def test_an_outage(kafka: Broker, prepared: Settings, outage: str) -> None:
    with sending(prepared, rest=REST) as clients:
        wait_for(lambda: "go straight to it" in clients.ingest.said())
        for hangs, runs in {**OUTAGES, **LONG_OUTAGES}[outage]:
            with paused(kafka):
                time.sleep(hangs)
                if hangs > LIMIT.total_seconds():
                    # With the spool no request waits for Kafka, except once for the limit.
                    assert_answered(clients)
            time.sleep(runs)
    assert set(clients.statuses) == {204}
    assert "records go to the spool" in clients.ingest.said()


def test_a_full_spool_answers_503_until_kafka_is_back(kafka: Broker, prepared: Settings) -> None:
    with sending(prepared.model_copy(update={"spool_bytes": SMALL_CAP})) as clients:
        time.sleep(1)
        with paused(kafka):
            wait_for(lambda: clients.statuses[503] > 20, 60)
            kept = clients.statuses[204]
            time.sleep(0.5)
            # Full means full: nothing was answered 204 in between.
            assert clients.statuses[204] <= kept + len(clients.clients)
        taken = clients.statuses[204]
        wait_for(lambda: clients.statuses[204] > taken + 100, 60)
    assert set(clients.statuses) == {204, 503}


def test_kafka_is_down_at_the_start_then_starts_dies_and_restarts(
    tmp_path: Path, cache: Path, settings: Settings
) -> None:
    port = free_port()
    settings = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
    broker = Broker(tmp_path / "broker", cache, port=port)
    broker.prepare()
    try:
        with sending(settings, rest=REST) as clients:
            wait_for(lambda: clients.statuses[204] > 100, 60)
            for is_last in (False, True):
                broker.start()
                broker.wait_ready()
                create_topics(settings)
                time.sleep(3)
                if not is_last:
                    broker.kill()
                    time.sleep(3)
        assert set(clients.statuses) == {204}
    finally:
        broker.kill()
        broker.release()
