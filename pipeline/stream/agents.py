"""The one agent: a run in, its outcomes and states out, its end committed (architecture)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faust.types import TP

from pipeline.config import Settings
from pipeline.stream.failures import Failures
from pipeline.stream.mark import Mark, StateError, mark_of, refuse_a_missing_mark
from pipeline.stream.outbox import Outbox
from pipeline.stream.partition import Partition
from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import Run, RunConsumer
from pipeline.topics import topics


@dataclass(frozen=True, slots=True)
class Answering:
    """What the agent works with; `topic_id` is that of `beacons`, `consumer` the app's."""

    settings: Settings
    topic_id: str
    table: DeviceTable
    outbox: Outbox
    failures: Failures
    consumer: Callable[[], RunConsumer]

    async def answer(self, run: Run) -> None:
        """Make the answers to `run` durable, then let its end be committed.

        Raises `StateError` when the log, the state and the commit do not fit together.
        """
        partition = self.table.partition(run.tp.partition)
        if not partition.has_begun:
            await self._begin(partition, run)
        records = partition.fresh(run.records)
        if not records:
            return
        names = topics(self.settings)
        committed = self.consumer().acknowledged.get(run.tp, 0)
        answered = partition.answer(records, committed=committed)
        self.failures.count(events=answered.events, failed=answered.failed)
        # The outcomes go first: a state ahead of its outcome would hide a loss.
        await self.outbox.send(names.outcomes.name, partition.number, answered.outcomes)
        await self.outbox.send(names.changelog.name, partition.number, answered.states)
        # A run that outlived its assignment may not move the position of the next one.
        if self.table.is_current(partition):
            self.consumer().marks[run.tp] = answered.mark

    async def _begin(self, partition: Partition, run: Run) -> None:
        consumer, names = self.consumer(), topics(self.settings)
        number = partition.number
        digest = self.settings.rules.digest()
        changelog, outcomes = TP(names.changelog.name, number), TP(names.outcomes.name, number)
        ends = await consumer.highwaters(changelog, outcomes)
        held = await consumer.committed(run.tp)
        if held is None or held.offset < 0:
            refuse_a_missing_mark(number, outcomes=ends[outcomes], changelog=ends[changelog])
            # Its beginning, not that of the run: `fresh` refuses what would be left out.
            beginning = (await consumer.earliest_offsets(run.tp))[run.tp]
            mark = Mark(
                offset=beginning,
                stream_time=None,
                topic_id=self.topic_id,
                rules=digest,
            )
            # Committed before anything is written, so that its absence always means a loss.
            if not await consumer.commit_mark(run.tp, mark):
                raise StateError(f"partition {number}: its first commit was refused")
        else:
            mark = mark_of(held.offset, held.metadata, partition=number)
            mark.refuse_others(topic_id=self.topic_id, rules=digest, partition=number)
            consumer.acknowledged[run.tp] = mark.offset
        if partition.recovered.next_offset < ends[changelog]:
            raise StateError(
                f"partition {number}: {ends[changelog] - partition.recovered.next_offset} records"
                " of the changelog were not recovered: starting again"
            )
        partition.begin(mark)


async def answer_runs(stream: Any, answering: Answering, end: Callable[[str], None]) -> None:
    """The agent's body. Faust takes an exception for an acknowledgement: here one is the end."""
    async for event in stream.noack().events():
        try:
            await answering.answer(event.value)
        except StateError as error:
            end(str(error))
        except Exception as error:  # noqa: BLE001  # nothing may follow on a failed delivery
            end(f"{type(error).__name__}: {error}")
        event.ack()
