"""Records that Faust has fetched and dropped, and that no other record follows on."""

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

# Between two looks. What is in hand, or waits for the agent, moves on meanwhile.
PAUSE_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Reads them again. The agent sees a jump where another record comes; here none does."""

    table: DeviceTable
    consumer: Callable[[], BatchConsumer]

    async def watch(self) -> None:
        """To the end of the process."""
        seen: dict[TP, int] = {}
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                behind = await self._behind()
                for tp, expected in behind.items():
                    if seen.get(tp) == expected:
                        await self._read_again(tp, expected)
            except (KafkaError, ConsumerNotStarted):
                # Kafka is away, or no partition is ours: there is always a next look.
                behind = {}
            seen = behind

    async def _behind(self) -> dict[TP, int]:
        """Partitions of which more was fetched than answered, and the offset to go on at."""
        consumer, behind = self.consumer(), {}
        for tp, position in (await consumer.positions()).items():
            expected = await self._expected(tp)
            if position > expected:
                behind[tp] = expected
        return behind

    async def _expected(self, tp: TP) -> int:
        mark = self.table.mark(tp.partition)
        if mark is not None:
            return mark.offset
        held = await self.consumer().committed(tp)
        if held is not None and held.offset >= 0:
            return int(held.offset)
        return await self.consumer().beginning(tp)

    async def _read_again(self, tp: TP, expected: int) -> None:
        log.warning(
            "partition %d: records from offset %d of beacons were dropped on their way:"
            " reading them again",
            *(tp.partition, expected),
        )
        # One too often does no harm: the agent knows what it has answered.
        await self.consumer().read_from(tp, expected)
