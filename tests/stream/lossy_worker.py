"""`pipeline worker`, but of the first runs of `beacons` that are fetched some are lost.

Every other one, or with `all` the first of each partition. Faust drops what it has fetched around
a rebalance; here it happens for certain.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

from pipeline.config import Settings
from pipeline.stream import worker
from pipeline.stream.transport import BatchConsumer

MOST_LOST = 6
_getmany = BatchConsumer.getmany


async def getmany(self: BatchConsumer, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109
    async for tp, message in _getmany(self, timeout):
        counted = vars(self).setdefault("counted", [0])
        if tp.topic not in self.app.tables.changelog_topics:
            counted[0] += 1
            lost = vars(self).setdefault("lost", set())
            is_first = tp not in lost
            lost.add(tp)
            is_other = counted[0] % 2 and counted[0] < 2 * MOST_LOST
            if is_first if sys.argv[-1] == "all" else is_other:
                print("lost a run", flush=True)
                continue
        yield tp, message


BatchConsumer.getmany = getmany  # type: ignore[method-assign]
sys.exit(worker.run(Settings()))
