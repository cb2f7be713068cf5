"""Ingest's clock compared with Kafka's: what is logged, and what counts as no difference."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.delivery.clock import ClockWatch
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.kafka.admin import create_topics

BODY = {
    "events": [
        {"event_type": "search", "timestamp": 1_782_907_200_000, "session_id": "s", "query": "q"}
    ]
}
KAFKA = 1_000_000.0


class Times:
    """A watch whose clock is `ahead` of Kafka's; `at` is monotonic."""

    def __init__(self) -> None:
        self.at = 0.0
        self.ahead = 0.0
        self.watch = ClockWatch(lambda: KAFKA + self.at + self.ahead, monotonic=lambda: self.at)

    def acknowledge(self, *, took: float = 0.0, waited: float = 0.0, ahead: float = 0.0) -> None:
        """Two seconds later: Kafka `waited` to append a record, and `took` to acknowledge it."""
        self.at += 2 + took + waited
        self.ahead = ahead
        self.watch.compare(KAFKA + self.at - took, since=self.at - took - waited)


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pipeline.delivery.clock")


@pytest.mark.parametrize("ahead", [0.0, 59.0, -59.0])
def test_up_to_a_minute_is_no_difference(
    times: Times, ahead: float, caplog: pytest.LogCaptureFixture
) -> None:
    times.acknowledge(ahead=ahead)
    assert times.watch.ahead == ahead
    assert str(times.watch) == "ingest's clock agrees with Kafka's"
    assert caplog.messages == []


@pytest.mark.parametrize(("took", "waited"), [(300.0, 0.0), (0.0, 300.0), (300.0, 300.0)])
def test_a_slow_kafka_is_no_difference(times: Times, took: float, waited: float) -> None:
    times.acknowledge(took=took, waited=waited)
    assert times.watch.ahead == 0.0


@pytest.mark.parametrize(("ahead", "words"), [(61.0, "61 s ahead of"), (-61.0, "61 s behind")])
def test_a_larger_difference_is_logged_once_and_so_is_its_end(
    times: Times, caplog: pytest.LogCaptureFixture, ahead: float, words: str
) -> None:
    for _ in range(3):
        times.acknowledge(ahead=ahead)
    line = f"ingest's clock is {words} Kafka's"
    assert str(times.watch) == line
    assert [message.partition(":")[0] for message in caplog.messages] == [line]
    for _ in range(60):
        times.acknowledge()
    assert caplog.messages[1:] == ["ingest's clock agrees with Kafka's again"]
    assert times.watch.ahead == 0.0


def test_one_wrong_broker_of_two_is_logged_once(
    times: Times, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        times.acknowledge(ahead=100.0)
        times.acknowledge()
        assert times.watch.ahead == 100.0
    assert len(caplog.messages) == 1


def test_they_are_compared_once_a_second(times: Times) -> None:
    times.acknowledge(ahead=5.0)
    times.ahead = 7.0
    times.watch.compare(KAFKA + times.at, since=times.at)
    assert times.watch.ahead == 5.0


def test_a_pause_while_it_compares_is_no_difference() -> None:
    at = 0.0

    def paused_after_reading() -> float:
        nonlocal at
        at += 100
        return at - 100

    watch = ClockWatch(lambda: KAFKA + at, monotonic=paused_after_reading)
    watch.compare(KAFKA + at, since=at)
    assert watch.ahead == 0.0


@pytest.mark.parametrize(("ahead", "way"), [(3600.0, "ahead of"), (-3600.0, "behind")])
def test_readyz_metric_and_log_show_a_difference(
    settings: Settings,
    serve: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    ahead: float,
    way: str,
) -> None:
    create_topics(settings)
    publisher = KafkaPublisher(settings, clock=lambda: time.time() + ahead)
    ingest = serve(settings, publisher)
    wait_for(lambda: not publisher.circuit.is_open)
    assert ingest.post(BODY).status == 204
    answer = ingest.page("/readyz")
    assert (answer.status, answer.json()["status"]) == (200, "ready")
    # Up to a second counts as Kafka's latency.
    expected = rf"ingest's clock is (3600|359\d) s {way} Kafka's"
    assert re.fullmatch(expected, answer.json()["clock"])
    (line,) = caplog.messages
    assert re.match(expected, line)
    metrics = ingest.page("/metrics").data.decode()
    (found,) = re.findall(r"^pipeline_ingest_clock_ahead_seconds (\S+)$", metrics, re.MULTILINE)
    # Kafka's times are whole milliseconds, cut off.
    assert 3590 < float(found) * (1 if ahead > 0 else -1) < 3600.1
