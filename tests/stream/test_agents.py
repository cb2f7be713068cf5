"""The order of steps within a batch, and what ends the worker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from factories import make_event
from group_log import BEACONS, CHANGELOG, OUTCOMES, Kafka, WorkerProcess
from stream_log import PartitionLog

from pipeline.stream.rows import Pair


def visits(records: int) -> PartitionLog:
    """One event per record."""
    log = PartitionLog()
    for minute in range(records):
        log.send(make_event(minute=minute))
    return log


class Refused(WorkerProcess):
    """A worker whose records for `topic` Kafka refuses."""

    topic = ""

    async def send(self, topic: str, _partition: int, pairs: list[Pair]) -> None:
        if topic == self.topic:
            raise OSError("Kafka refuses it")
        await super().send(topic, _partition, pairs)


@pytest.mark.parametrize("place", [OUTCOMES, CHANGELOG], ids=["outcomes", "states"])
def test_a_failed_delivery_ends_the_worker_and_commits_nothing(place: Any) -> None:
    async def scenario() -> tuple[Kafka, WorkerProcess]:
        kafka = Kafka(visits(2).beacons)
        worker = Refused(kafka)
        worker.topic = place.topic
        await worker.finish()
        return kafka, worker

    kafka, worker = asyncio.run(scenario())
    assert worker.end_reason == "OSError: Kafka refuses it"
    assert kafka.commit is not None
    assert kafka.commit.offset == worker.checkpoints[BEACONS].offset == 0


def test_a_batch_is_sent_after_the_states_of_the_one_before() -> None:
    async def scenario() -> None:
        kafka = Kafka(visits(4).beacons)
        worker = WorkerProcess(kafka)
        while len(kafka.outcomes) < 4:
            states = len(kafka.changelog)
            await worker.step()
        # Both batches were in progress: the second has waited.
        assert states > 0
        await worker.kill()

    asyncio.run(scenario())


def test_a_batch_that_outlives_its_assignment_leaves_no_checkpoint() -> None:
    async def scenario() -> None:
        kafka = Kafka(visits(2).beacons)
        worker = WorkerProcess(kafka)
        while not kafka.outcomes:
            await worker.step()
        worker.revoke_now()
        await worker.finish()
        assert kafka.changelog
        assert BEACONS not in worker.checkpoints
        await worker.kill()

    asyncio.run(scenario())


def test_a_lost_commit_is_not_mistaken_for_a_first_start() -> None:
    async def scenario() -> str | None:
        kafka = Kafka(visits(2).beacons)
        await (await WorkerProcess(kafka).finish()).kill()
        kafka.commit = None
        worker = await WorkerProcess(kafka).finish()
        return worker.end_reason

    reason = asyncio.run(scenario())
    assert reason is not None
    assert "has committed nothing" in reason
