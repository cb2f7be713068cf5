from __future__ import annotations

import asyncio

from pipeline.delivery.publisher import MemoryPublisher
from pipeline.ingest.readiness import Readiness


class SlowPublisher(MemoryPublisher):
    """Counts its probes; each waits for `end`."""

    def __init__(self) -> None:
        super().__init__()
        self.probes = 0
        self.end = asyncio.Event()

    async def is_ready(self) -> bool:
        self.probes += 1
        await self.end.wait()
        return True


def test_concurrent_requests_share_one_probe_and_its_result_is_cached() -> None:
    async def ask() -> int:
        publisher = SlowPublisher()
        readiness = Readiness(publisher)
        asking = [asyncio.create_task(readiness.ask()) for _ in range(50)]
        await asyncio.sleep(0)
        # A cancelled request does not affect the others.
        asking.pop(0).cancel()
        await asyncio.sleep(0)
        publisher.end.set()
        answers = [*await asyncio.gather(*asking), await readiness.ask()]
        assert [is_ready for is_ready, _ in answers] == [True] * 50
        return publisher.probes

    assert asyncio.run(ask()) == 1
