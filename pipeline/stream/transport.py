"""Runs of records through Faust: one message is all that one fetch brought of one partition.

Faust costs 200 µs a message whatever it does; a run pays that once. With `table.py` this is all
that leans on Faust's private names: `tests/stream/test_faust.py` fails when one of them changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import faust
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.stream.checkpoint import Checkpoint

T = TypeVar("T")

FETCH_WAIT_MS = 50


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Neighbouring records of one partition, as aiokafka's `ConsumerRecord`s; never empty."""

    tp: TP
    records: Sequence[Any]


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a run on as it is: what its bytes mean is for the agent and the table to say."""

    def compile(self, app: Any, **_errors: Any) -> Any:
        """The decoder that Faust awaits for each message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return app.create_event(None, message.value, None, message)

        return decode


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Commits marks: an offset together with the stream time that belongs to it."""

    consumer: BatchConsumer

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust's 1.5 s is how long a fetch that asks for idle partitions holds up the busy ones.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        assigned = self.assignment()
        marks = {tp: self.consumer.marks[tp] for tp in offsets if tp in assigned}
        try:
            await self._ensure_consumer().commit(
                {
                    TopicPartition(*tp): OffsetAndMetadata(mark.offset, mark.metadata())
                    for tp, mark in marks.items()
                }
            )
        except CommitFailedError:
            # The group has moved on: its refusal is the fence against a former owner.
            return False
        except Exception as error:  # noqa: BLE001  # whatever it is, the worker has to end
            await self.crash(error)
            return False
        for tp, mark in marks.items():
            self.consumer.acknowledged[tp] = mark.offset
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust looks at commits that it has not made itself, and calls each a bug.

        `dropped.py` looks at what is fetched and not answered.
        """

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to the commit of each partition, or to its beginning where there is none.

        aiokafka leaves a partition where it stands when its commit is at 0, or missing: what was
        fetched and dropped before is then never read.
        """
        return await self.ask(self._seek_to_committed)

    async def _seek_to_committed(self, consumer: Any) -> Mapping[TP, int]:
        positions: dict[TP, int] = {}
        for tp in self.assignment():
            if tp.topic in self.app.tables.changelog_topics:
                continue  # recovery alone says where a changelog is read
            place = TopicPartition(*tp)
            offset = await consumer.committed(place)
            if offset is None:
                offset = (await consumer.beginning_offsets([place]))[place]
            consumer.seek(place, offset)
            positions[tp] = offset
        return positions

    async def ask(self, question: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """`question` of aiokafka's consumer, on its own loop.

        Not by Faust's queue of calls, in which a fetch that waits for records holds up the rest.
        """
        answer = asyncio.run_coroutine_threadsafe(
            question(self._ensure_consumer()), self.thread_loop
        )
        return await asyncio.wrap_future(answer)


class BatchConsumer(driver.Consumer):
    """Delivers runs, and lets nothing but a mark be committed.

    `marks` holds what the agent has made durable of each partition; `acknowledged` the offset
    that the group itself has taken. Both are emptied when a partition is revoked.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._thread: BatchConsumerThread
        self.marks: dict[TP, Checkpoint] = {}
        self.acknowledged: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109  # Faust's own signature
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Each partition's records of one fetch, as one message that ends at the last of them."""
        fetched, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            # What was fetched meanwhile is dropped, so it has to be read again. Where a rebalance
            # is in the way, its own end seeks; the agent reads again what slipped through.
            with suppress(KafkaError):
                await self.perform_seek()
            return
        for place, records in fetched.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                break
            tp = ensure_TP(place)
            if active is None or tp in active or tp in self._buffered_partitions:
                if tp.topic not in self.app.tables.changelog_topics:
                    # Faust would drop what is read again; the agent knows what is missing.
                    self._read_offset[tp] = None
                yield tp, _message(RecordBatch(tp, records), generation)

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full queue holds the fetcher back by itself.

        Faust would take the partition off the fetch list, and with none left sleep for a second.
        """

    def _new_offset(self, tp: TP) -> int | None:
        # Faust's own count of acknowledgements can step over what was never processed.
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        mark = self.marks.get(tp)
        return None if mark is None else mark.offset

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """No gaps: the agent itself refuses a jump."""

    async def commit_mark(self, tp: TP, mark: Checkpoint) -> bool:
        """Commit `mark` now; False when the partition is no longer ours."""
        self.marks[tp] = mark
        await self._thread.ask(lambda _: self._thread._commit({tp: mark.offset}))  # noqa: SLF001
        return self.acknowledged.get(tp) == mark.offset

    async def committed(self, tp: TP) -> Any:
        """`OffsetAndMetadata` that the group holds for `tp`, None where it holds none."""
        place = TopicPartition(*tp)
        held = await self._thread.ask(
            lambda consumer: consumer._coordinator.fetch_committed_offsets([place])  # noqa: SLF001
        )
        return held.get(place)

    async def ends(self, *places: TP) -> dict[TP, int]:
        """The offset after the last record of each of `places`, of any topic."""
        asked = [TopicPartition(*tp) for tp in places]
        found = await self._thread.ask(lambda consumer: consumer.end_offsets(asked))
        return {ensure_TP(place): offset for place, offset in found.items()}

    async def beginning(self, tp: TP) -> int:
        """The first offset that Kafka still holds."""
        place = TopicPartition(*tp)
        found = await self._thread.ask(lambda consumer: consumer.beginning_offsets([place]))
        return int(found[place])

    async def positions(self) -> dict[TP, int]:
        """The offset that is fetched next of each assigned partition of `beacons` that has one."""
        changelogs = self.app.tables.changelog_topics

        async def found(consumer: Any) -> dict[TP, int]:
            positions = {}
            for place in consumer.assignment():
                tp = ensure_TP(place)
                if tp.topic not in changelogs:
                    # aiokafka waits for one that has none, as while a rebalance goes on.
                    with suppress(TimeoutError, KafkaError):
                        positions[tp] = await asyncio.wait_for(consumer.position(place), 1.0)
            return positions

        return await self._thread.ask(found)

    async def read_from(self, tp: TP, offset: int) -> None:
        """Fetch on at `offset`; what was fetched beyond it may still arrive before."""

        async def seek(consumer: Any) -> None:
            place = TopicPartition(*tp)
            # One that has been revoked begins at its commit wherever it goes next.
            if place in consumer.assignment():
                consumer.seek(place, offset)

        await self._thread.ask(seek)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Faust waits for the runs in hand and commits them; then all that is held goes."""
        await super().on_partitions_revoked(revoked)
        tables: Any = self.app.tables
        for tp in revoked:
            self.marks.pop(tp, None)
            self.acknowledged.pop(tp, None)
            # Else Faust would go on in the middle of a changelog whose table was dropped.
            tables.recovery.revoke(tp)
        for table in tables.values():
            table.drop({tp.partition for tp in revoked})


class BatchTransport(driver.Transport):
    """Kafka by aiokafka, in runs."""

    Consumer: ClassVar[Any] = BatchConsumer


def _message(run: Any, generation: int) -> ConsumerMessage:
    last = run.records[-1]
    return ConsumerMessage(
        run.tp.topic,
        run.tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        last.timestamp_type,
        None,
        None,
        run,
        None,
        0,
        0,
        run.tp,
        generation_id=generation,
    )
