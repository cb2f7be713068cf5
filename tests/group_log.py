"""One partition, its group and its workers without Kafka, moved one answer at a time.

Each request to `Kafka` takes effect at once; its answer waits until `Process.step`. So a test
says where a worker is paused, killed, or overtaken by another. The agent, the partition and the
marks are the real ones; what Faust and aiokafka do around them is written out here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self, TypeVar

import msgspec
from factories import RULES
from faust.types import TP
from stream_log import FakeRecord

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.stream.agents import Agent
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.failures import Failures
from pipeline.stream.partition import Pair, PartitionState
from pipeline.stream.transport import RecordBatch
from pipeline.topics import topics

T = TypeVar("T")

TOPICS = topics(Settings(_env_file=None, partitions=1))
BEACONS, OUTCOMES, CHANGELOG = (
    TP(topic.name, 0) for topic in (TOPICS.beacons, TOPICS.outcomes, TOPICS.changelog)
)
RUN_RECORDS = 2
# Every callback that is ready runs within so many turns of the loop.
TURNS = 12
# No worker has as much to ask for.
MOST_STEPS = 1000


@dataclass
class Commit:
    """What the group holds."""

    offset: int
    metadata: str


@dataclass
class Kafka:
    """The logs and the group; whoever joined last owns the partition."""

    beacons: list[FakeRecord]
    outcomes: list[Pair] = field(default_factory=list)
    changelog: list[Pair] = field(default_factory=list)
    commit: Commit | None = None
    generation: int = 0
    beginning: int = 0
    """The first offset of `beacons` that retention has left."""

    def ends(self, places: Iterable[TP]) -> dict[TP, int]:
        logs = {BEACONS: self.beacons, OUTCOMES: self.outcomes, CHANGELOG: self.changelog}
        return {tp: len(logs[tp]) for tp in places}

    def take(self, mark: Checkpoint, generation: int) -> bool:
        """A commit; the group refuses a former owner's."""
        if generation != self.generation:
            return False
        self.commit = Commit(mark.offset, mark.metadata())
        return True

    def accepted(self) -> list[Outcome]:
        """As the loader reads them: the first outcome of each origin wins."""
        first: dict[int, Outcome] = {}
        for _, value in self.outcomes:
            outcome = msgspec.json.decode(value or b"", type=Outcome)
            first.setdefault(outcome.origin.offset, outcome)
        return [first[offset] for offset in sorted(first)]


class EndedError(BaseException):
    """The process has ended itself: nothing after it may happen."""


class Process:
    """A worker process: it joins, recovers, answers, commits, and joins again when refused.

    Of the runs that it fetches first those numbered in `lost` never reach the agent.
    """

    _writers = count()

    def __init__(self, kafka: Kafka, *, lost: Iterable[int] = ()) -> None:
        self.kafka = kafka
        self._lost = dict.fromkeys(lost, True)
        self.generation = -1
        self.said: str | None = None
        """Why it ended itself."""
        self.marks: dict[TP, Checkpoint] = {}
        self.acknowledged: dict[TP, int] = {}
        self._partitions: dict[int, PartitionState] = {}
        self._answers: deque[asyncio.Future[None]] = deque()
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._unacknowledged = 0
        self._is_acknowledged = asyncio.Event()
        # It plays the table, the outbox and the consumer.
        played: Any = self
        self._agent = Agent(
            TOPICS,
            "topic",
            RULES.digest(),
            played,
            played,
            Failures(1.0),
            lambda: played,
            self._end,
        )
        self._tasks = [asyncio.create_task(work) for work in (self._agent.run(self), self._live())]

    # What a test does with it

    async def step(self, steps: int = 1) -> Self:
        """Let it have its next answers."""
        for _ in range(steps):
            if self._answers:
                self._answers.popleft().set_result(None)
            await settled()
            if self.said is not None:
                await self.kill()
        return self

    async def finish(self) -> Self:
        """Let it have answers until it waits for nothing."""
        await settled()
        for _ in range(MOST_STEPS):
            if not self._answers:
                return self
            await self.step()
        raise AssertionError("it asks for ever")

    async def kill(self) -> None:
        """End it here: what it has asked for has taken effect, what it would do next has not."""
        self._answers.clear()
        tasks = [*self._tasks, *self._agent._deliveries]  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def revoke_now(self) -> None:
        """Take the partition from it without waiting for what it has in hand."""
        self.marks.clear()
        self.acknowledged.clear()
        self._partitions.clear()

    async def _ask(self, effect: Callable[[], T]) -> T:
        if self.said is not None:
            raise EndedError
        answer = effect()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers.append(done)
        await done
        return answer

    def _end(self, reason: str) -> None:
        self.said = self.said or reason
        raise EndedError

    # What Faust does

    async def _live(self) -> None:
        while True:
            await self._join()
            self._fetch()
            while True:
                await self._is_acknowledged.wait()
                self._is_acknowledged.clear()
                if not await self._commit():
                    break
            await self._revoke()

    def _fetch(self) -> None:
        for first in range(self._position, len(self.kafka.beacons), RUN_RECORDS):
            if self._lost.pop(first // RUN_RECORDS, False):
                continue
            records = self.kafka.beacons[first : first + RUN_RECORDS]
            self._unacknowledged += 1
            self._queue.put_nowait(Event(RecordBatch(BEACONS, records), self))

    async def _join(self) -> None:
        def join() -> int:
            self.kafka.generation += 1
            return self.kafka.generation

        self.generation = await self._ask(join)
        self._position = await self._ask(
            lambda: self.kafka.commit.offset if self.kafka.commit else 0
        )
        # Recovery reads up to the end that it asked for at its start.
        for offset, (key, value) in enumerate(await self._ask(lambda: [*self.kafka.changelog])):
            self.partition(0).recovered.apply(key, value, offset=offset)

    async def _revoke(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
            self._unacknowledged -= 1
        while self._unacknowledged:
            await self._is_acknowledged.wait()
            self._is_acknowledged.clear()
        await self._commit()
        self.revoke_now()

    def acknowledge(self) -> None:
        """Called by an event of this process."""
        self._unacknowledged -= 1
        self._is_acknowledged.set()

    async def _commit(self) -> bool:
        mark = self.marks.get(BEACONS)
        if mark is None:
            return True
        generation = self.generation
        is_taken = await self._ask(lambda: self.kafka.take(mark, generation))
        if is_taken:
            self.acknowledged[BEACONS] = mark.offset
        return is_taken

    # The stream, as the agent sees it

    def noack(self) -> Self:
        return self

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self._queue.get()

    # The table

    def partition(self, number: int) -> PartitionState:
        if number not in self._partitions:
            writer = b"%016d" % next(self._writers)
            self._partitions[number] = PartitionState(number, RULES, writer)
        return self._partitions[number]

    def is_current(self, partition: PartitionState) -> bool:
        return self._partitions.get(partition.number) is partition

    # The outbox

    async def send(self, topic: str, _partition: int, pairs: list[Pair]) -> None:
        log = self.kafka.outcomes if topic == OUTCOMES.topic else self.kafka.changelog
        await self._ask(lambda: log.extend(pairs))

    # The consumer

    async def commit_mark(self, tp: TP, mark: Checkpoint) -> bool:
        self.marks[tp] = mark
        return await self._commit()

    async def committed(self, _tp: TP) -> Commit | None:
        return await self._ask(lambda: self.kafka.commit)

    async def ends(self, *places: TP) -> dict[TP, int]:
        return await self._ask(lambda: self.kafka.ends(places))

    async def beginning(self, _tp: TP) -> int:
        return await self._ask(lambda: self.kafka.beginning)

    async def read_from(self, _tp: TP, offset: int) -> None:
        await self._ask(lambda: None)
        self._position = offset
        self._fetch()


@dataclass
class Event:
    """A run on its way through Faust."""

    value: RecordBatch
    process: Process

    def ack(self) -> None:
        self.process.acknowledge()


async def settled() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
