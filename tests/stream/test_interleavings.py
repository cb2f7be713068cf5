"""No interleaving of two workers gives a wrong table.

Worker A takes over, processes, commits, and is paused after one of its replies; B joins then, and
is paused after one of its own; A continues, finds out, and joins again. Every schedule is tried.
"""

from __future__ import annotations

import asyncio
from itertools import product

import pytest
from factories import cart, click, make_event, purchase
from group_log import Kafka, WorkerProcess
from stream_log import PartitionLog

from pipeline.domain.outcomes import Outcome

# More replies than a worker gets between its joining and its last commit.
STEPS = 16


def shopping() -> PartitionLog:
    """Six records whose outcomes depend on every record before them."""
    log = PartitionLog()
    log.send(click(0, "token"))
    log.send(make_event(minute=1), device="d:other")
    log.send(cart(2, None))
    log.send(click(0, "token"), purchase(4))
    log.send(make_event(minute=1), click(5, "token"), device="d:other")
    log.send(purchase(6), purchase(4), device="d:device")
    return log


def expected_outcomes(log: PartitionLog) -> list[Outcome]:
    alone = PartitionLog(log.rules, beacons=log.beacons)
    alone.run(alone.assigned())
    return alone.outcomes


async def finished(kafka: Kafka) -> None:
    """A worker that is left alone processes the rest."""
    last = await WorkerProcess(kafka).finish()
    assert last.end_reason is None
    await last.kill()


async def begun(log: PartitionLog, records: int) -> Kafka:
    """A log whose first `records` a dead worker has processed and committed."""
    kafka = Kafka(log.beacons[:records])
    if records:
        await finished(kafka)
    kafka.beacons = log.beacons
    return kafka


@pytest.mark.parametrize(
    ("dying", "begin"),
    [
        pytest.param("neither", 0, id="neither-0"),
        pytest.param("other", 2, id="other-2"),
        pytest.param("both", 0, id="both-0"),
        pytest.param("neither", 2, id="neither-2", marks=pytest.mark.long),
        pytest.param("other", 0, id="other-0", marks=pytest.mark.long),
        pytest.param("both", 2, id="both-2", marks=pytest.mark.long),
    ],
)
def test_whenever_another_worker_takes_over_the_outcomes_are_right(begin: int, dying: str) -> None:
    log = shopping()
    expected = expected_outcomes(log)

    async def scenario(first: int, second: int, third: int) -> None:
        kafka = await begun(log, begin)
        one = await WorkerProcess(kafka).step(first)
        other = await WorkerProcess(kafka).step(second)
        if dying != "neither":
            await other.kill()
        await one.step(third)
        if dying == "both":
            await one.kill()
        # Each may find out about the other, and join again.
        for process in (other, one, other):
            await process.finish()
        for process in (other, one):
            await process.kill()
            assert "has committed nothing" not in (process.end_reason or ""), (first, second, third)
        await finished(kafka)
        assert kafka.accepted() == expected, (first, second, third)

    async def all_schedules() -> None:
        for schedule in product(range(STEPS), range(1, STEPS), (0, 2, STEPS)):
            await scenario(*schedule)

    asyncio.run(all_schedules())


@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)], ids=str)
def test_batches_that_the_consumer_dropped_are_read_again(lost: tuple[int, ...]) -> None:
    log = shopping()

    async def scenario() -> Kafka:
        kafka = Kafka(log.beacons)
        worker = await WorkerProcess(kafka, lost=lost).finish()
        assert worker.end_reason is None
        await worker.kill()
        return kafka

    assert asyncio.run(scenario()).accepted() == expected_outcomes(log)


def test_records_that_retention_deleted_are_not_read_again() -> None:
    async def scenario() -> str | None:
        kafka = await begun(shopping(), 2)
        kafka.beginning = 4
        worker = await WorkerProcess(kafka, lost=[1]).finish()
        return worker.end_reason

    reason = asyncio.run(scenario())
    assert reason is not None
    assert "offset 2 of beacons was expected, but Kafka holds none before 4: retention" in reason


def test_a_jump_in_the_log_itself_ends_the_worker() -> None:
    async def scenario() -> str | None:
        kafka = await begun(shopping(), 2)
        # Offsets 2 and 3 are not there, though Kafka says that it holds them.
        kafka.beacons = [*kafka.beacons[:2], *kafka.beacons[4:]]
        worker = await WorkerProcess(kafka).finish()
        return worker.end_reason

    reason = asyncio.run(scenario())
    assert reason is not None
    assert "offset 2 of beacons was expected, but the batch is 4-5 with 2 records" in reason
