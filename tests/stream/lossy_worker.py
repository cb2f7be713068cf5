"""`pipeline worker`, but some of the first batches of `beacons` that it fetches are lost.

Every other one, or with `all` the first of each partition. Faust drops fetched records around a
rebalance; here it happens for certain.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

from pipeline.config import Settings
from pipeline.stream import worker
from pipeline.stream.transport import BatchConsumer

MAX_LOST = 6
_getmany = BatchConsumer.getmany


async def getmany(self: BatchConsumer, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109
    async for tp, message in _getmany(self, timeout):
        counted = vars(self).setdefault("counted", [0])
        if tp.topic not in self.app.tables.changelog_topics:
            counted[0] += 1
            lost = vars(self).setdefault("lost", set())
            is_first = tp not in lost
            lost.add(tp)
            is_other = counted[0] % 2 and counted[0] < 2 * MAX_LOST
            if is_first if sys.argv[-1] == "all" else is_other:
                print("lost a batch", flush=True)
                continue
        yield tp, message


BatchConsumer.getmany = getmany  # type: ignore[method-assign]
logging.basicConfig(level=logging.INFO)
sys.exit(worker.run(Settings()))
