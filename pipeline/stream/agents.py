"""The one agent: a run in, its outcomes and states out, its end committed (architecture)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faust.types import TP

from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.checkpoint import Checkpoint, StateError, mark_of, refuse_a_missing_mark
from pipeline.stream.failures import Failures
from pipeline.stream.partition import BatchResult, JumpError, PartitionState
from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import BatchConsumer, RecordBatch
from pipeline.topics import Topics

# One to which the rules are applied while another is on its way to Kafka.
RUNS_IN_HAND = 2
# More runs than wait behind a lost one (`WAITING_RUNS`): a jump after so many is in the log itself.
MOST_JUMPS = 16


@dataclass(frozen=True, slots=True)
class Agent:
    """Answers runs in the order of their arrival.

    `topic_id` is that of `beacons`, `digest` that of the rules, `consumer` the app's; `end` ends
    the process, for Faust takes an exception for an acknowledgement.
    """

    topics: Topics
    topic_id: str
    digest: str
    table: DeviceTable
    outbox: BatchProducer
    failures: Failures
    consumer: Callable[[], BatchConsumer]
    end: Callable[[str], None]
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RUNS_IN_HAND))
    _locks: defaultdict[int, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    _deliveries: set[asyncio.Task[None]] = field(default_factory=set)
    _jumps: Counter[TP] = field(default_factory=Counter)

    async def run(self, stream: Any) -> None:
        """The body of the Faust agent: to the end of the process."""
        async for event in stream.noack().events():
            await self._free.acquire()
            try:
                await self._answer(event)
            except StateError as error:
                self.end(str(error))
            except Exception as error:  # noqa: BLE001  # no run may follow on a broken one
                self.end(f"{type(error).__name__}: {error}")

    async def _answer(self, event: Any) -> None:
        run: RecordBatch = event.value
        partition = self.table.partition(run.tp.partition)
        if not partition.has_begun:
            partition.begin(await self._position(partition, run.tp))
        try:
            records = partition.fresh(run.records)
        except JumpError as jump:
            await self._read_again(partition, run.tp, jump)
            records = ()
        else:
            del self._jumps[run.tp]
        if not records:
            self._free.release()
            event.ack()
            return
        committed = self.consumer().acknowledged.get(run.tp, 0)
        answered = partition.answer(records, committed=committed)
        self.failures.count(events=answered.events, failed=answered.failed)
        delivery = asyncio.create_task(self._deliver(event, partition, answered))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _read_again(self, partition: PartitionState, tp: TP, jump: JumpError) -> None:
        """Go back to what Faust has dropped, as it does around a rebalance.

        Raises `StateError` where Kafka no longer holds it, and `jump` where it never did.
        """
        expected = partition.mark.offset
        beginning = await self.consumer().beginning(tp)
        if beginning > expected:
            raise StateError(
                f"partition {tp.partition}: offset {expected} of beacons was expected, but Kafka"
                f" holds none before {beginning}: retention overran the worker"
            )
        self._jumps[tp] += 1
        if self._jumps[tp] > MOST_JUMPS:
            raise jump
        await self.consumer().read_from(tp, expected)

    async def _deliver(self, event: Any, partition: PartitionState, answered: BatchResult) -> None:
        number = partition.number
        try:
            # Tasks start, and a lock is given, in the order of their asking.
            async with self._locks[number]:
                # The outcomes go first: a state ahead of its outcome would hide a loss.
                await self.outbox.send(self.topics.outcomes.name, number, answered.outcomes)
                await self.outbox.send(self.topics.changelog.name, number, answered.states)
        except Exception as error:  # noqa: BLE001  # nothing may follow on a failed delivery
            self.end(f"{type(error).__name__}: {error}")
        self._free.release()
        # A run that outlived its assignment may not move the position of the next one.
        if self.table.is_current(partition):
            self.consumer().marks[event.value.tp] = answered.mark
        event.ack()

    async def _position(self, partition: PartitionState, tp: TP) -> Checkpoint:
        """Where this assignment begins. Raises `StateError` when what Kafka holds does not fit."""
        consumer, number = self.consumer(), partition.number
        changelog = TP(self.topics.changelog.name, number)
        outcomes = TP(self.topics.outcomes.name, number)
        # Before the commit: another worker may make the first one, and then records, meanwhile.
        before = await consumer.ends(changelog, outcomes)
        held = await consumer.committed(tp)
        if held is None or held.offset < 0:
            refuse_a_missing_mark(number, outcomes=before[outcomes], changelog=before[changelog])
            beginning = await consumer.beginning(tp)
            mark = Checkpoint(
                offset=beginning, stream_time=None, topic_id=self.topic_id, rules=self.digest
            )
            # Committed before anything is written, so that its absence always means a loss.
            if not await consumer.commit_mark(tp, mark):
                raise StateError(f"partition {number}: its first commit was refused")
            return mark
        mark = mark_of(held.offset, held.metadata, partition=number)
        mark.refuse_others(topic_id=self.topic_id, rules=self.digest, partition=number)
        # After the commit: it speaks of all that was written before it. While this worker was
        # paused another one may have recovered, written and committed in its place.
        end = (await consumer.ends(changelog))[changelog]
        recovered = partition.recovered.next_offset
        if recovered < end:
            raise StateError(
                f"partition {number}: recovery ended at {recovered} of {end} records of the"
                " changelog: starting again"
            )
        consumer.acknowledged[tp] = mark.offset
        return mark
