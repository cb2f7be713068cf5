"""Whether Kafka answers, as worker and loader see it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

from processes import paused, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics
from pipeline.monitoring.kafka_ends import KafkaEnds
from pipeline.topics import topics


def test_a_kafka_that_hangs_is_seen_and_so_is_its_return(settings: Settings, kafka: Broker) -> None:
    create_topics(settings)
    answers: list[str | None] = []
    ends = KafkaEnds(
        settings, [topics(settings).beacons], lambda _: None, interval=timedelta(milliseconds=100)
    )
    ends.start(answers.append)
    try:
        wait_for(lambda: ends.is_up)
        with paused(kafka):
            wait_for(lambda: not ends.is_up and answers[-1] is not None)
            assert "does not answer" in str(ends.problem)
        wait_for(lambda: ends.is_up and answers[-1] is None)
    finally:
        ends.stop()


def test_it_is_not_left_to_librdkafka_how_long_the_ends_are_awaited(
    settings: Settings, kafka: Broker
) -> None:
    """It may wait for 80 seconds, and gives another reason then."""
    create_topics(settings)
    hanging = ExitStack()
    ends = KafkaEnds(
        settings, [topics(settings).beacons], lambda _: None, interval=timedelta(days=1)
    )
    with hanging:
        # It answers, and hangs before it is asked for the ends.
        ends.start(lambda _: hanging.enter_context(paused(kafka)))
        try:
            wait_for(lambda: "does not answer (to read the end of topic" in str(ends.problem))
        finally:
            ends.stop()
