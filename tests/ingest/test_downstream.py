"""What `/readyz` of ingest says of worker and loader."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.ingest.downstream import Downstream
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

MINUTE = 60.0


class Behind:
    """Two partitions and the hands of a clock."""

    def __init__(self, home: Path, timeout: timedelta = timedelta(minutes=5)) -> None:
        settings = Settings(_env_file=None, home=home, downstream_timeout=timeout)
        self.now = 1000.0
        self.topics = topics(settings)
        self.snapshot = settings.database
        self.downstream = Downstream(settings, clock=lambda: self.now)

    def look(self, beacons: tuple[int, int], outcomes: tuple[int, int]) -> str:
        ends = {}
        for topic, found in ((self.topics.beacons, beacons), (self.topics.outcomes, outcomes)):
            ends |= {(topic.name, str(number)): end for number, end in enumerate(found)}
        self.downstream.seen(ends)
        return self.downstream.problem()

    def publish(self, at: int) -> None:
        self.snapshot.touch()
        os.utime(self.snapshot, (at, at))


@pytest.fixture
def behind(tmp_path: Path) -> Behind:
    return Behind(tmp_path)


def test_beacons_without_outcomes_are_a_problem_after_the_timeout(behind: Behind) -> None:
    assert behind.look((5, 5), (5, 5)) == ""
    assert behind.look((5, 9), (5, 5)) == ""
    behind.now += 5 * MINUTE + 1
    assert behind.look((5, 9), (5, 5)) == "beacons of partition 1 have had no outcome for 301 s"
    assert behind.downstream.stalled_seconds() == 301
    # However far behind: it moves.
    assert behind.look((5, 999), (5, 6)) == ""
    assert behind.downstream.stalled_seconds() == 0


def test_a_shop_without_visitors_is_no_problem(behind: Behind) -> None:
    behind.look((5, 5), (4, 5))
    behind.now += 600 * MINUTE
    assert behind.look((5, 5), (4, 5)) == ""
    # The first beacon after the night has just come.
    assert behind.look((6, 5), (4, 5)) == ""


def test_outcomes_that_are_not_published_are_a_problem_where_the_snapshot_is(
    behind: Behind,
) -> None:
    behind.publish(at=1)
    behind.look((5, 5), (5, 5))
    behind.now += 600 * MINUTE
    assert behind.look((6, 5), (6, 5)) == ""
    behind.now += 6 * MINUTE
    assert behind.look((7, 5), (7, 5)) == "outcomes have not been published for 360 s"
    behind.publish(at=2)
    assert behind.look((7, 5), (7, 5)) == ""


def test_what_came_with_a_snapshot_counts_as_published_until_more_comes(behind: Behind) -> None:
    behind.publish(at=1)
    behind.look((5, 5), (5, 5))
    behind.publish(at=2)
    assert behind.look((6, 5), (6, 5)) == ""
    behind.now += 600 * MINUTE
    assert behind.look((6, 5), (6, 5)) == ""
    # The loader has ended meanwhile.
    assert behind.look((7, 5), (7, 5)) == ""
    behind.now += 6 * MINUTE
    assert behind.look((7, 5), (7, 5)) == "outcomes have not been published for 360 s"


def test_without_a_snapshot_here_only_the_outcomes_count(behind: Behind) -> None:
    behind.look((5, 5), (5, 5))
    behind.look((6, 5), (6, 5))
    behind.now += 60 * MINUTE
    assert behind.look((6, 5), (6, 5)) == ""


def test_0_never_finds_a_problem(tmp_path: Path) -> None:
    behind = Behind(tmp_path, timedelta(0))
    behind.look((5, 5), (5, 5))
    behind.look((6, 5), (5, 5))
    behind.now += 600 * MINUTE
    assert behind.look((6, 5), (5, 5)) == ""


def test_ingest_is_degraded_and_still_ready_while_no_worker_runs(
    settings: Settings, serve: Callable[..., Any]
) -> None:
    impatient = settings.model_copy(update={"downstream_timeout": timedelta(milliseconds=1)})
    create_topics(settings)
    downstream = Downstream(impatient)
    ingest = serve(impatient, KafkaPublisher(impatient), downstream=downstream)
    wait_for(lambda: ingest.page("/readyz").json()["status"] == "ready")
    downstream.start()
    event = {
        "event_type": "search",
        "timestamp": "2026-07-01T12:00:00Z",
        "session_id": "s",
        "query": "shoes",
    }

    def is_degraded() -> bool:
        assert ingest.post({"events": [event]}).status == 204
        answer = ingest.page("/readyz")
        assert answer.status == 200
        return (
            answer.json()["status"] == "degraded"
            and "have had no outcome for" in answer.json()["downstream"]
        )

    wait_for(is_degraded, 60)
    downstream.stop()
