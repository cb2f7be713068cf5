"""Finds records that Faust fetched and dropped, if no later record shows the gap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from pipeline.stream.table import DeviceTable
from pipeline.stream.transport import BatchConsumer

# Between two checks. Batches in progress, or waiting for the agent, advance meanwhile.
PAUSE_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DroppedRecords:
    """Reads them again. If a later record comes, the agent sees the jump by itself."""

    table: DeviceTable
    consumer: Callable[[], BatchConsumer]

    async def watch(self) -> None:
        """Check every few seconds; it never returns."""
        seen: dict[TP, int] = {}
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                behind = await self._behind()
                for tp, expected in behind.items():
                    if seen.get(tp) == expected:
                        await self._read_again(tp, expected)
            except (KafkaError, ConsumerNotStarted):
                # Kafka is away, or no partition is assigned: the next check comes.
                behind = {}
            seen = behind

    async def _behind(self) -> dict[TP, int]:
        """Partitions with more records fetched than processed, and the offset to continue at."""
        consumer, behind = self.consumer(), {}
        for tp, position in (await consumer.positions()).items():
            expected = await self._expected(tp)
            if position > expected:
                behind[tp] = expected
        return behind

    async def _expected(self, tp: TP) -> int:
        checkpoint = self.table.checkpoint(tp.partition)
        if checkpoint is not None:
            return checkpoint.offset
        commit = await self.consumer().committed(tp)
        if commit is not None and commit.offset >= 0:
            return int(commit.offset)
        return await self.consumer().beginning(tp)

    async def _read_again(self, tp: TP, expected: int) -> None:
        log.warning(
            "partition %d: records of beacons from offset %d were fetched and dropped:"
            " reading them again",
            *(tp.partition, expected),
        )
        # Reading too much does no harm: the agent skips what it has processed.
        await self.consumer().read_from(tp, expected)
