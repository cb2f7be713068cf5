"""How ingest is: what the pages for operators show, of this process or of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.http.response import Response
from pipeline.ingest.explain import Explained, ExplainedEvent
from pipeline.ingest.metrics import Counts, Measured
from pipeline.ingest.readiness import Readiness


class IngestState(Protocol):
    """Read again for each page."""

    async def is_alive(self) -> bool:
        """Whether every process that takes requests also answers."""

    async def readiness(self) -> tuple[bool, dict[str, str]]:
        """Whether beacons can be taken, and `status` and the reasons in words."""

    async def measured(self) -> Measured:
        """Counts and gauges."""

    async def entries(self) -> list[ExplainedEvent]:
        """The last events, newest first."""

    def refused(self, answer: Response) -> None:
        """What never became a request was answered so."""


class ProcessState:
    """Of this process. `gauges` measures, by metric name."""

    def __init__(
        self,
        readiness: Readiness,
        counts: Counts,
        gauges: Callable[[], dict[str, float]],
        explained: Explained | None,
    ) -> None:
        self._readiness = readiness
        self._counts = counts
        self._gauges = gauges
        self._explained = explained

    def drain(self) -> None:
        """From now on it is not ready."""
        self._readiness.is_stopping = True

    async def is_alive(self) -> bool:
        """See `IngestState`."""
        return True

    async def readiness(self) -> tuple[bool, dict[str, str]]:
        """See `IngestState`."""
        return await self._readiness.ask()

    async def measured(self) -> Measured:
        """See `IngestState`."""
        gauges = {name: float(value) for name, value in self._gauges().items()}
        return Measured(self._counts, {**gauges, "pipeline_ingest_processes": 1.0})

    async def entries(self) -> list[ExplainedEvent]:
        """See `IngestState`."""
        return self._explained.entries() if self._explained else []

    def refused(self, answer: Response) -> None:
        """See `IngestState`."""
        self._counts.malformed[answer.status] += 1
