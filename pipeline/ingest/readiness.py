"""Whether ingest can take beacons, and why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.delivery.publisher import Publisher

# A probe may cost a commit of the spool: who asks more often gets the same answer.
KEPT_SECONDS = 1.0


class Readiness:
    """The answer of `/readyz`, found at most once a second.

    `downstream` says what does not move behind ingest, `stores` why their file is not used.
    """

    def __init__(
        self,
        publisher: Publisher,
        downstream: Callable[[], str] = lambda: "",
        stores: Callable[[], str] = lambda: "",
    ) -> None:
        self._publisher = publisher
        self._downstream = downstream
        self._stores = stores
        self._until = 0.0
        self.is_stopping = False
        self._probe: asyncio.Task[tuple[bool, dict[str, str]]] | None = None

    async def ask(self) -> tuple[bool, dict[str, str]]:
        """Whether beacons can be taken; and `status`, `kafka` and the rest in words."""
        if self.is_stopping:
            return False, {"status": "stopping"}
        probe = self._probe
        if probe is None or (probe.done() and time.monotonic() >= self._until):
            probe = self._probe = asyncio.get_running_loop().create_task(self._asked())
        # Shared by all who ask meanwhile: none of them may cancel it.
        return await asyncio.shield(probe)

    async def _asked(self) -> tuple[bool, dict[str, str]]:
        is_ready = await self._publisher.is_ready()
        self._until = time.monotonic() + KEPT_SECONDS
        spool = self._publisher.spool()
        is_on_kafka = is_ready and not spool.is_circuit_open
        # Still ready: to take fewer beacons would lose them, and mend nothing.
        problem, outdated = self._downstream(), self._stores()
        is_well = is_on_kafka and not problem and not outdated
        status = "ready" if is_well else "degraded" if is_ready else "unavailable"
        kafka = "answers" if is_on_kafka else spool.why or "does not answer"
        clock = str(self._publisher.clock)
        return is_ready, {
            "status": status,
            "kafka": kafka,
            "spool": str(spool),
            "clock": clock,
            "downstream": problem or "moves",
            "stores": f"stay as they were: {outdated}" if outdated else "as in their file",
        }
