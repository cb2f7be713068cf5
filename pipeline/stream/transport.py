"""Batches of records through Faust: one message holds what one fetch brought of one partition.

Faust costs 200 µs per message whatever it does; a batch pays that once. Only this file and
`table.py` use Faust's private names: `tests/stream/test_faust.py` fails if one of them changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import faust
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.exceptions import ConsumerNotStarted
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.group_errors import raise_group_errors

T = TypeVar("T")

FETCH_WAIT_MS = 50


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Neighbouring records of one partition, as aiokafka's `ConsumerRecord`s; never empty."""

    tp: TP
    records: Sequence[Any]


class BatchSchema(faust.Schema[Any, Any]):
    """Passes a batch on as it is; the agent and the table decode its records."""

    def compile(self, app: Any, **_errors: Any) -> Any:
        """The decoder that Faust awaits for each message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return app.create_event(None, message.value, None, message)

        return decode


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Commits checkpoints: an offset together with the stream time that belongs to it."""

    consumer: BatchConsumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._asked: set[Future[Any]] = set()
        super().__init__(*args, **kwargs)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # With Faust's 1.5 s a fetch from idle partitions would delay the busy ones by as much.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    async def on_start(self) -> None:
        """As Faust does it; then no error of the group looks like one without commits."""
        await super().on_start()
        raise_group_errors(self._ensure_consumer()._coordinator)  # noqa: SLF001

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        assigned = self.assignment()
        checkpoints = {tp: self.consumer.checkpoints[tp] for tp in offsets if tp in assigned}
        try:
            await self._ensure_consumer().commit(
                {
                    TopicPartition(*tp): OffsetAndMetadata(at.offset, at.metadata())
                    for tp, at in checkpoints.items()
                }
            )
        except CommitFailedError:
            # The partition has another owner; this refusal is the only fence against us.
            return False
        except Exception as error:  # noqa: BLE001  # after any other error the worker has to end
            await self.crash(error)
            return False
        for tp, at in checkpoints.items():
            self.consumer.committed_offsets[tp] = at.offset
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust would report each commit that it has not made itself as a bug.

        `dropped.py` watches for records that are fetched and not processed.
        """

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek each partition to its commit, or to its beginning if there is none.

        aiokafka does not seek if the commit is at 0 or missing, so that records fetched and dropped
        before would never be read.
        """
        return await self.ask(self._seek_to_committed)

    async def _seek_to_committed(self, consumer: Any) -> Mapping[TP, int]:
        positions: dict[TP, int] = {}
        for tp in self.assignment():
            if tp.topic in self.app.tables.changelog_topics:
                continue  # only recovery decides where a changelog is read
            place = TopicPartition(*tp)
            offset = await consumer.committed(place)
            if offset is None:
                offset = (await consumer.beginning_offsets([place]))[place]
            consumer.seek(place, offset)
            positions[tp] = offset
        return positions

    async def ask(self, question: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Ask aiokafka's consumer on its own event loop.

        Not through Faust's queue of calls, where a fetch that waits for records delays the rest.
        """
        if self.should_stop:
            raise ConsumerNotStarted("the consumer stops")
        answer = asyncio.run_coroutine_threadsafe(
            question(self._ensure_consumer()), self.thread_loop
        )
        self._asked.add(answer)
        try:
            return await asyncio.wrap_future(answer)
        finally:
            self._asked.discard(answer)

    async def stop(self) -> None:
        """Take back what is still asked, then stop.

        Else the watches' questions would go unanswered, and aiokafka would log its own end as an
        error.
        """
        for answer in tuple(self._asked):
            answer.cancel()
        await super().stop()


class BatchConsumer(driver.Consumer):
    """Delivers batches, and commits nothing but checkpoints.

    `checkpoints` holds how far each partition is durable, `committed_offsets` what the group has
    accepted of it. A revoked partition leaves both.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._thread: BatchConsumerThread
        self.checkpoints: dict[TP, Checkpoint] = {}
        self.committed_offsets: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109  # Faust's own signature
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message per partition and fetch, with the offset of its last record."""
        fetched, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            # What was fetched meanwhile is dropped, so it has to be read again. If a rebalance
            # prevents the seek, it seeks at its end; the agent reads again whatever is missed.
            with suppress(KafkaError):
                await self.perform_seek()
            return
        for place, records in fetched.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                break
            tp = ensure_TP(place)
            if active is None or tp in active or tp in self._buffered_partitions:
                if tp.topic not in self.app.tables.changelog_topics:
                    # Faust would drop records that are read again; the agent decides instead.
                    self._read_offset[tp] = None
                yield tp, _message(RecordBatch(tp, records), generation)

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: a full queue blocks the fetcher by itself.

        Faust would stop fetching the partition, and sleep for a second if none is left.
        """

    def _new_offset(self, tp: TP) -> int | None:
        # Faust's own count of acknowledgements can step over what was never processed.
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        checkpoint = self.checkpoints.get(tp)
        return None if checkpoint is None else checkpoint.offset

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the agent refuses gaps itself."""

    async def commit_checkpoint(self, tp: TP, checkpoint: Checkpoint) -> bool:
        """Commit `checkpoint` now; False if the partition is no longer ours."""
        self.checkpoints[tp] = checkpoint
        offset = checkpoint.offset
        await self._thread.ask(lambda _: self._thread._commit({tp: offset}))  # noqa: SLF001
        return self.committed_offsets.get(tp) == offset

    async def committed(self, tp: TP) -> Any:
        """The group's `OffsetAndMetadata` for `tp`, None if it has none."""
        place = TopicPartition(*tp)
        held = await self._thread.ask(
            lambda consumer: consumer._coordinator.fetch_committed_offsets([place])  # noqa: SLF001
        )
        return held.get(place)

    async def ends(self, *places: TP) -> dict[TP, int]:
        """The end offset of each of `places`, of any topic."""
        asked = [TopicPartition(*tp) for tp in places]
        found = await self._thread.ask(lambda consumer: consumer.end_offsets(asked))
        return {ensure_TP(place): offset for place, offset in found.items()}

    async def beginning(self, tp: TP) -> int:
        """The first offset that Kafka still holds."""
        place = TopicPartition(*tp)
        found = await self._thread.ask(lambda consumer: consumer.beginning_offsets([place]))
        return int(found[place])

    async def positions(self) -> dict[TP, int]:
        """The offset to be fetched next, for each assigned partition of `beacons` that has one."""
        changelogs = self.app.tables.changelog_topics

        async def found(consumer: Any) -> dict[TP, int]:
            positions = {}
            for place in consumer.assignment():
                tp = ensure_TP(place)
                if tp.topic not in changelogs:
                    # Without a position, as during a rebalance, aiokafka would wait for one.
                    with suppress(TimeoutError, KafkaError):
                        positions[tp] = await asyncio.wait_for(consumer.position(place), 1.0)
            return positions

        return await self._thread.ask(found)

    async def read_from(self, tp: TP, offset: int) -> None:
        """Continue to fetch at `offset`; later records that were fetched may arrive first."""

        async def seek(consumer: Any) -> None:
            place = TopicPartition(*tp)
            # A revoked one starts at its commit wherever it is assigned next.
            if place in consumer.assignment():
                consumer.seek(place, offset)

        await self._thread.ask(seek)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The ends of changelogs, for which Faust asks before it reads: first we read ahead."""
        tables: Any = self.app.tables
        for table in tables.values():
            read, is_cut = await table.read_ahead(partitions)
            for tp, offset in read.items():  # `update` of a Counter would add
                tables.recovery.active_offsets[tp] = offset
            if is_cut:
                # Else it would give up this question: it begins again, and we read on.
                tables.recovery.signal_recovery_start.set()
        return await super().highwaters(*partitions)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Faust waits for the batches in progress and commits them; then drop all state."""
        await super().on_partitions_revoked(revoked)
        tables: Any = self.app.tables
        for tp in revoked:
            self.checkpoints.pop(tp, None)
            self.committed_offsets.pop(tp, None)
            # Else Faust would continue in the middle of a changelog whose table was dropped.
            tables.recovery.revoke(tp)
        for table in tables.values():
            table.drop({tp.partition for tp in revoked})


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport, with batches."""

    Consumer: ClassVar[Any] = BatchConsumer


def _message(batch: Any, generation: int) -> ConsumerMessage:
    last = batch.records[-1]
    return ConsumerMessage(
        batch.tp.topic,
        batch.tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        last.timestamp_type,
        None,
        None,
        batch,
        None,
        0,
        0,
        batch.tp,
        generation_id=generation,
    )
