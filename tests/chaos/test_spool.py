"""Kafka hangs, dies and comes back, and ingest is killed: what was answered 204 is there, once.

The short form runs with the tests; `make chaos ARGS=--kills=60` is the long one.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from device_clients import LIMIT, street
from processes import paused, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.data_directory import free_port
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics

# Seconds that Kafka hangs, and seconds that it then has, again and again.
DAYS = {
    "each answer takes five seconds": [(5.0, 0.2)] * 3,
    "it comes and goes": [(0.3, 0.3), (1.5, 0.1), (0.8, 0.8)] * 3,
    "away for ten seconds": [(10.0, 1.0)],
}
LONG_DAYS = {
    "away for three minutes": [(180.0, 1.0)],
    "it comes and goes for minutes": [(0.3, 0.3), (1.5, 0.1), (0.8, 0.8), (3.0, 0.2)] * 20,
}
# So many kills, and more, are the long form.
LONG = 10
# Seconds between two events of a shop in the long forms: all of them are counted at the end.
REST = 0.05
# Half a second of what the shops send.
SMALL_CAP = 256 * 1024


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture
def ours(settings: Settings) -> Settings:
    create_topics(settings)
    return settings


@pytest.mark.timeout(1800)
def test_kill_9_of_ingest_in_and_after_a_pause(kafka: Broker, ours: Settings, kills: int) -> None:
    dice = random.Random(kills)  # noqa: S311  # when it dies
    with street(ours, rest=REST if kills >= LONG else 0.0) as shops:
        wait_for(lambda: "go straight to it" in shops.ingest.said())
        for number in range(kills):
            time.sleep(dice.uniform(0.5, 1.5))
            with paused(kafka):
                # The first is surely seen; of the others some are too short for it.
                time.sleep(dice.uniform(0.2, 3) if number else LIMIT.total_seconds() + 1)
                shops.ingest.kill()
                shops.ingest.start()
                time.sleep(dice.uniform(0.5, 3))
        time.sleep(1)
    assert "records go to the spool" in shops.ingest.said()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("day", [*DAYS, *LONG_DAYS])
def test_a_bad_day(kafka: Broker, ours: Settings, kills: int, day: str) -> None:
    is_long = day in LONG_DAYS
    if is_long and kills < LONG:
        pytest.skip("for `make chaos ARGS=--kills=60`")
    with street(ours, rest=REST if is_long else 0.0) as shops:
        wait_for(lambda: "go straight to it" in shops.ingest.said())
        for hangs, answers in {**DAYS, **LONG_DAYS}[day]:
            with paused(kafka):
                time.sleep(hangs)
            time.sleep(answers)
    assert set(shops.answers) == {204}
    # Whom the spool answers need not wait for Kafka, but for one limit once.
    assert shops.longest < LIMIT.total_seconds() + 2
    assert "records go to the spool" in shops.ingest.said()


def test_a_spool_that_is_full_says_503_and_takes_again_once_kafka_does(
    kafka: Broker, ours: Settings
) -> None:
    with street(ours.model_copy(update={"spool_bytes": SMALL_CAP})) as shops:
        time.sleep(1)
        with paused(kafka):
            wait_for(lambda: shops.answers[503] > 20, 60)
            kept = shops.answers[204]
            time.sleep(0.5)
            # Full means full: nothing was answered 204 in between.
            assert shops.answers[204] <= kept + len(shops.shops)
        taken = shops.answers[204]
        wait_for(lambda: shops.answers[204] > taken + 100, 60)
    assert set(shops.answers) == {204, 503}


def test_kafka_that_is_down_at_the_start_comes_dies_and_comes_again(
    tmp_path: Path, cache: Path, settings: Settings
) -> None:
    port = free_port()
    settings = settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{port}"})
    broker = Broker(tmp_path / "broker", cache, port=port)
    broker.prepare()
    try:
        with street(settings) as shops:
            wait_for(lambda: shops.answers[204] > 100, 60)
            for is_last in (False, True):
                broker.start()
                broker.wait_ready()
                create_topics(settings)
                time.sleep(3)
                if not is_last:
                    broker.kill()
                    time.sleep(3)
        assert set(shops.answers) == {204}
    finally:
        broker.kill()
        broker.release()
