"""`pipeline worker` with a watch that asks for the commit of a partition without end."""

from __future__ import annotations

import logging
import sys
from typing import Any

from aiokafka.structs import TopicPartition
from faust.types import TP

from pipeline.config import Settings
from pipeline.stream import worker
from pipeline.stream.transport import BatchConsumer


async def _ask_for_ever(self: BatchConsumer, tp: TP) -> Any:
    async def question(consumer: Any) -> None:
        while True:
            await consumer._coordinator.fetch_committed_offsets([TopicPartition(*tp)])  # noqa: SLF001

    return await self._thread.ask(question)


BatchConsumer.committed = _ask_for_ever  # type: ignore[method-assign]

logging.basicConfig(level=logging.INFO)
sys.exit(worker.run(Settings()))
