"""The one agent: a batch in, its outcomes and states out, its end committed (architecture)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from faust.types import TP

from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.cause import cause
from pipeline.stream.checkpoint import (
    Checkpoint,
    StateError,
    read_checkpoint,
    refuse_missing_commit,
)
from pipeline.stream.figures import WorkerFigures
from pipeline.stream.partition import BatchResult, JumpError, PartitionState
from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import BatchConsumer, RecordBatch
from pipeline.topics import Topics

# The rules are applied to one batch while another is on its way to Kafka.
MAX_BATCHES_IN_PROGRESS = 2
# More batches than wait behind a lost one (`WAITING_BATCHES`): the log itself has a hole.
MAX_JUMPS = 16
# A share of fewer events says nothing about the code.
MIN_EVENTS = 1_000


class FailureLimit:
    """Stops the worker when too many recent events fail: then the code is what is broken."""

    def __init__(self, max_share: float, *, window: int = 10_000) -> None:
        self._max_share = max_share
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()
        self._events = self._failed = 0

    def count(self, *, events: int, failed: int) -> None:
        """Add a batch, before its outcomes are sent. Raises `StateError` above the limit."""
        self._batches.append((events, failed))
        self._events += events
        self._failed += failed
        while self._events - self._batches[0][0] >= self._window:
            oldest = self._batches.popleft()
            self._events -= oldest[0]
            self._failed -= oldest[1]
        if self._events >= MIN_EVENTS and self._failed > self._max_share * self._events:
            raise StateError(
                f"{self._failed} of the latest {self._events} events failed, more than"
                " PIPELINE_MAX_FAILED_SHARE allows; the last batch was not committed; see"
                " rejected_events for the reasons"
            )


@dataclass(frozen=True, slots=True)
class Agent:
    """Processes batches in the order of their arrival.

    `topic_id` is that of `beacons`, `digest` that of the rules. `end` ends the process, because
    Faust takes an exception for an acknowledgement.
    """

    topics: Topics
    topic_id: str
    digest: str
    table: DeviceTable
    producer: BatchProducer
    failure_limit: FailureLimit
    consumer: Callable[[], BatchConsumer]
    end: Callable[[str], None]
    figures: WorkerFigures
    _free: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(MAX_BATCHES_IN_PROGRESS)
    )
    _locks: defaultdict[int, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    _deliveries: set[asyncio.Task[None]] = field(default_factory=set)
    _jumps: Counter[TP] = field(default_factory=Counter)

    async def run(self, stream: Any) -> None:
        """The body of the Faust agent; it never returns."""
        async for event in stream.noack().events():
            await self._free.acquire()
            try:
                await self._process(event)
            except StateError as error:
                self.end(str(error))
            except Exception as error:  # noqa: BLE001  # no batch may follow a broken one
                self.end(cause(error))

    async def _process(self, event: Any) -> None:
        batch: RecordBatch = event.value
        partition = self.table.partition(batch.tp.partition)
        if not partition.has_started:
            partition.start_at(await self._start_of(partition, batch.tp))
        try:
            records = partition.new_records(batch.records)
        except JumpError as jump:
            await self._read_again(partition, batch.tp, jump)
            records = ()
        else:
            del self._jumps[batch.tp]
        if not records:
            self._free.release()
            event.ack()
            return
        committed, began = self.consumer().committed_offsets.get(batch.tp, 0), time.monotonic()
        result = partition.process(records, committed=committed)
        self.failure_limit.count(events=result.events, failed=result.failed)
        self.figures.processed(
            partition.number, records=len(records), events=result.events, failed=result.failed
        )
        delivery = asyncio.create_task(self._deliver(event, partition, result, began))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _read_again(self, partition: PartitionState, tp: TP, jump: JumpError) -> None:
        """Seek back to the records that Faust has dropped, as it does around a rebalance.

        Raises `StateError` if Kafka no longer holds them, and `jump` if it never did.
        """
        expected = partition.checkpoint.offset
        beginning = await self.consumer().beginning(tp)
        if beginning > expected:
            raise StateError(
                f"partition {tp.partition}: offset {expected} of beacons was expected, but Kafka"
                f" holds none before {beginning}: retention overran the worker"
            )
        self._jumps[tp] += 1
        if self._jumps[tp] > MAX_JUMPS:
            raise jump
        await self.consumer().read_from(tp, expected)

    async def _deliver(
        self, event: Any, partition: PartitionState, result: BatchResult, began: float
    ) -> None:
        number = partition.number
        try:
            # Tasks start, and the lock is granted, in order: batches of a partition never overlap.
            async with self._locks[number]:
                # Before its outcome, which says that nothing is left to do with it.
                for other, records in result.strays.items():
                    await self.producer.send(self.topics.beacons.name, other, records)
                # The outcomes go first: a state ahead of its outcome would hide a loss.
                await self.producer.send(self.topics.outcomes.name, number, result.outcomes)
                span = await self.producer.send(self.topics.changelog.name, number, result.states)
                # A batch that outlived its assignment must not move the position of the next one.
                if self.table.is_current(partition):
                    partition.acknowledged(result, span)
                    self.consumer().checkpoints[event.value.tp] = result.checkpoint
                    written_at = event.value.records[-1].timestamp / 1000
                    self.figures.reached(number, result.checkpoint.offset, written_at)
            self.figures.delivered(seconds=time.monotonic() - began, states=len(result.states))
        except Exception as error:  # noqa: BLE001  # nothing may follow a failed delivery
            self.end(cause(error))
        self._free.release()
        event.ack()

    async def _start_of(self, partition: PartitionState, tp: TP) -> Checkpoint:
        """Where this assignment starts. Raises `StateError` if commit and topics do not match."""
        consumer, number = self.consumer(), partition.number
        changelog = TP(self.topics.changelog.name, number)
        outcomes = TP(self.topics.outcomes.name, number)
        # Before the commit is read: another worker may make the first one meanwhile, then write.
        ends = await consumer.ends(changelog, outcomes)
        commit = await consumer.committed(tp)
        if commit is None or commit.offset < 0:
            refuse_missing_commit(number, outcomes=ends[outcomes], changelog=ends[changelog])
            beginning = await consumer.beginning(tp)
            checkpoint = Checkpoint(
                offset=beginning,
                stream_time=None,
                topic_id=self.topic_id,
                rules=self.digest,
                partitions=self.topics.beacons.partitions,
            )
            # Committed before anything is written, so that its absence always means a loss.
            if not await consumer.commit_checkpoint(tp, checkpoint):
                raise StateError(f"partition {number}: its first commit was refused")
            return checkpoint
        checkpoint = read_checkpoint(commit.offset, commit.metadata, partition=number)
        checkpoint.refuse_mismatch(
            topic_id=self.topic_id,
            rules=self.digest,
            partition=number,
            partitions=self.topics.beacons.partitions,
        )
        # That of an earlier version does not say it.
        checkpoint = msgspec.structs.replace(checkpoint, partitions=self.topics.beacons.partitions)
        # After the commit is read, because all that was written before it must be recovered: while
        # this worker was paused, another may have recovered, written and committed.
        end = (await consumer.ends(changelog))[changelog]
        recovered = partition.devices.next_offset
        if recovered < end:
            raise StateError(
                f"partition {number}: recovery ended at {recovered} of {end} records of the"
                " changelog: restarting"
            )
        consumer.committed_offsets[tp] = checkpoint.offset
        return checkpoint
