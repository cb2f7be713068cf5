"""What is done before what in a run, and what ends the worker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from factories import make_event
from group_log import BEACONS, CHANGELOG, OUTCOMES, Kafka, Process
from stream_log import Topic

from pipeline.stream.partition import Pair


def visits(records: int) -> Topic:
    """One event a record."""
    topic = Topic()
    for minute in range(records):
        topic.send(make_event(minute=minute))
    return topic


class Refused(Process):
    """A worker to which Kafka refuses what goes to `topic`."""

    topic = ""

    async def send(self, topic: str, _partition: int, pairs: list[Pair]) -> None:
        if topic == self.topic:
            raise OSError("Kafka takes nothing")
        await super().send(topic, _partition, pairs)


@pytest.mark.parametrize("place", [OUTCOMES, CHANGELOG], ids=["outcomes", "states"])
def test_a_failed_delivery_ends_the_worker_and_commits_nothing(place: Any) -> None:
    async def told() -> tuple[Kafka, Process]:
        kafka = Kafka(visits(2).beacons)
        worker = Refused(kafka)
        worker.topic = place.topic
        await worker.finish()
        return kafka, worker

    kafka, worker = asyncio.run(told())
    assert worker.said == "OSError: Kafka takes nothing"
    assert kafka.commit is not None
    assert kafka.commit.offset == worker.marks[BEACONS].offset == 0


def test_a_run_goes_out_once_the_states_of_the_one_before_have_gone() -> None:
    async def told() -> None:
        kafka = Kafka(visits(4).beacons)
        worker = Process(kafka)
        while len(kafka.outcomes) < 4:
            states = len(kafka.changelog)
            await worker.step()
        # Both runs were in hand: the second has waited.
        assert states > 0
        await worker.kill()

    asyncio.run(told())


def test_a_run_that_outlives_its_assignment_leaves_no_mark() -> None:
    async def told() -> None:
        kafka = Kafka(visits(2).beacons)
        worker = Process(kafka)
        while not kafka.outcomes:
            await worker.step()
        worker.revoke_now()
        await worker.finish()
        assert kafka.changelog
        assert BEACONS not in worker.marks
        await worker.kill()

    asyncio.run(told())


def test_a_commit_that_is_lost_is_not_taken_for_a_beginning() -> None:
    async def told() -> str | None:
        kafka = Kafka(visits(2).beacons)
        await (await Process(kafka).finish()).kill()
        kafka.commit = None
        worker = await Process(kafka).finish()
        return worker.said

    said = asyncio.run(told())
    assert said is not None
    assert "has committed nothing" in said
