"""One partition, its group and its workers without Kafka, moved one reply at a time.

Each request to `Kafka` takes effect at once; its reply waits until `WorkerProcess.step`. So a test
decides where a worker is paused, killed, or overtaken by another. The agent, the partition and the
checkpoints are the real ones; what Faust and aiokafka do around them is written out here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self, TypeVar

from factories import RULES
from faust.types import TP
from stream_log import FakeRecord, first_of_each, outcome_in, recover

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.stream.agents import Agent, FailureLimit
from pipeline.stream.batch_producer import Span
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.devices import Devices
from pipeline.stream.figures import WorkerFigures
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.partition import PartitionState
from pipeline.stream.rows import Pair
from pipeline.stream.transport import RecordBatch
from pipeline.topics import topics

T = TypeVar("T")

SETTINGS = Settings(_env_file=None, partitions=1)
TOPICS = topics(SETTINGS)
BEACONS, OUTCOMES, CHANGELOG = (
    TP(topic.name, 0) for topic in (TOPICS.beacons, TOPICS.outcomes, TOPICS.changelog)
)
BATCH_RECORDS = 2
# Within so many turns of the event loop every callback that is ready has run.
TURNS = 12
# No worker sends as many requests.
MOST_STEPS = 1000


@dataclass
class Commit:
    """What the group has committed."""

    offset: int
    metadata: str


@dataclass
class Kafka:
    """The logs and the group; the process that joined last owns the partition."""

    beacons: list[FakeRecord]
    outcomes: list[Pair] = field(default_factory=list)
    changelog: list[Pair] = field(default_factory=list)
    commit: Commit | None = None
    generation: int = 0
    folder: Path = field(default_factory=lambda: Path(mkdtemp()))
    beginning: int = 0
    """The first offset of `beacons` that retention has kept."""

    def ends(self, places: Iterable[TP]) -> dict[TP, int]:
        logs = {BEACONS: self.beacons, OUTCOMES: self.outcomes, CHANGELOG: self.changelog}
        return {tp: len(logs[tp]) for tp in places}

    def accept_commit(self, checkpoint: Checkpoint, generation: int) -> bool:
        """A commit; the group refuses one of a former owner."""
        if generation != self.generation:
            return False
        self.commit = Commit(checkpoint.offset, checkpoint.metadata())
        return True

    def accepted(self) -> list[Outcome]:
        return first_of_each(map(outcome_in, self.outcomes))


class EndedError(BaseException):
    """The process has ended itself: nothing may happen after it."""


class WorkerProcess:
    """A worker process: it joins, recovers, processes, commits, and joins again when refused.

    The first batches that it fetches whose numbers are in `lost` never reach the agent.
    """

    _writers = count()

    def __init__(self, kafka: Kafka, *, lost: Iterable[int] = ()) -> None:
        self.kafka = kafka
        # Every worker of a test is on one machine: one finds what another left.
        self._local = LocalFolder(kafka.folder, "", RULES, {})
        self._lost = dict.fromkeys(lost, True)
        self.generation = -1
        self.end_reason: str | None = None
        """Why it ended itself; None if it has not."""
        self.checkpoints: dict[TP, Checkpoint] = {}
        self.committed_offsets: dict[TP, int] = {}
        self._partitions: dict[int, PartitionState] = {}
        self._replies: deque[asyncio.Future[None]] = deque()
        self._queue: asyncio.Queue[FaustEvent] = asyncio.Queue()
        self._unacknowledged = 0
        self._is_acknowledged = asyncio.Event()
        # It stands in for the table, the producer and the consumer.
        stand_in: Any = self
        self._agent = Agent(
            TOPICS,
            "topic",
            RULES.digest(),
            stand_in,
            stand_in,
            FailureLimit(1.0),
            lambda: stand_in,
            self._end,
            WorkerFigures(SETTINGS),
        )
        self._tasks = [asyncio.create_task(work) for work in (self._agent.run(self), self._live())]

    # What a test calls

    async def step(self, steps: int = 1) -> Self:
        """Deliver its next replies."""
        for _ in range(steps):
            if self._replies:
                self._replies.popleft().set_result(None)
            await settled()
            if self.end_reason is not None:
                await self.kill()
        return self

    async def finish(self) -> Self:
        """Deliver replies until it waits for none."""
        await settled()
        for _ in range(MOST_STEPS):
            if not self._replies:
                return self
            await self.step()
        raise AssertionError("it never stops sending requests")

    async def kill(self) -> None:
        """Kill it: its requests have taken effect, and it sends no more."""
        self._replies.clear()
        tasks = [*self._tasks, *self._agent._deliveries]  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for held in self._partitions.values():
            held.devices.store.abandon()
        self._partitions.clear()

    def revoke_now(self) -> None:
        """Take the partition from it without waiting for the batches in progress."""
        self.checkpoints.clear()
        self.committed_offsets.clear()
        for held in self._partitions.values():
            held.devices.close()
        self._partitions.clear()

    async def _ask(self, effect: Callable[[], T]) -> T:
        if self.end_reason is not None:
            raise EndedError
        reply = effect()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replies.append(done)
        await done
        return reply

    def _end(self, reason: str) -> None:
        self.end_reason = self.end_reason or reason
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
        for first in range(self._position, len(self.kafka.beacons), BATCH_RECORDS):
            if self._lost.pop(first // BATCH_RECORDS, False):
                continue
            records = self.kafka.beacons[first : first + BATCH_RECORDS]
            self._unacknowledged += 1
            self._queue.put_nowait(FaustEvent(RecordBatch(BEACONS, records), self))

    async def _join(self) -> None:
        def join() -> int:
            self.kafka.generation += 1
            return self.kafka.generation

        self.generation = await self._ask(join)
        self._position = await self._ask(
            lambda: self.kafka.commit.offset if self.kafka.commit else 0
        )
        # Recovery reads up to the end that it asked for at its start.
        changelog = await self._ask(lambda: [*self.kafka.changelog])
        recover(self.partition(0).devices, changelog)

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
        checkpoint = self.checkpoints.get(BEACONS)
        if checkpoint is None:
            return True
        generation = self.generation
        is_accepted = await self._ask(lambda: self.kafka.accept_commit(checkpoint, generation))
        if is_accepted:
            self.committed_offsets[BEACONS] = checkpoint.offset
        return is_accepted

    # Stands in for the stream

    def noack(self) -> Self:
        return self

    async def events(self) -> AsyncIterator[FaustEvent]:
        while True:
            yield await self._queue.get()

    # The table

    def partition(self, number: int) -> PartitionState:
        if number not in self._partitions:
            self._local.ends[number] = len(self.kafka.changelog)
            store = self._local.open(number)
            writer = b"%016d" % next(self._writers)
            devices = Devices(store, writer, lambda: 0, write_bytes=0)
            self._partitions[number] = PartitionState(number, RULES, devices)
        return self._partitions[number]

    def is_current(self, partition: PartitionState) -> bool:
        return self._partitions.get(partition.number) is partition

    # The producer

    async def send(self, topic: str, _partition: int, pairs: list[Pair]) -> Span | None:
        log = self.kafka.outcomes if topic == OUTCOMES.topic else self.kafka.changelog

        def append() -> Span | None:
            first = len(log)
            log.extend(pairs)
            return (first, len(log)) if pairs else None

        return await self._ask(append)

    # The consumer

    async def commit_checkpoint(self, tp: TP, checkpoint: Checkpoint) -> bool:
        self.checkpoints[tp] = checkpoint
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
class FaustEvent:
    """A batch on its way through Faust."""

    value: RecordBatch
    process: WorkerProcess

    def ack(self) -> None:
        self.process.acknowledge()


async def settled() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
