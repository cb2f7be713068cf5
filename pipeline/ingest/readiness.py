"""Whether ingest can take beacons, and why not: Kafka and the spool, each with its reason."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.ingest.publisher import Publisher

# A probe asks Kafka; strangers who ask more often get the same answer.
KEPT_SECONDS = 1.0


@dataclass(frozen=True)
class SpoolState:
    """What waits for Kafka, and whether new records wait there, too."""

    records: int = 0
    bytes: int = 0
    oldest_seconds: float = 0.0
    is_circuit_open: bool = False
    is_there: bool = False

    def gauges(self) -> dict[str, float]:
        """By metric name."""
        return {
            "pipeline_ingest_spool_records": self.records,
            "pipeline_ingest_spool_bytes": self.bytes,
            "pipeline_ingest_spool_oldest_seconds": self.oldest_seconds,
            "pipeline_ingest_circuit_open": self.is_circuit_open,
        }

    def __str__(self) -> str:
        if not self.is_there:
            return "there is none"
        if not self.records:
            return "empty"
        return f"{self.records} records, the oldest {self.oldest_seconds:.0f} s old"


def spool_of(publisher: Publisher) -> SpoolState:
    """The spool of `publisher`; a publisher without one is as good as one that is empty."""
    depth = getattr(publisher, "spool_depth", None)
    if depth is None:
        return SpoolState()
    return SpoolState(
        records=depth,
        bytes=getattr(publisher, "spool_bytes", 0),
        oldest_seconds=getattr(publisher, "spool_oldest_seconds", 0.0) or 0.0,
        is_circuit_open=bool(getattr(publisher, "is_circuit_open", False)),
        is_there=True,
    )


class Readiness:
    """`/readyz`, asked at most once a second whoever asks."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._until = 0.0
        self._known: tuple[bool, dict[str, str]] = (False, {})

    async def ask(self) -> tuple[bool, dict[str, str]]:
        """Whether beacons can be taken; and `status`, `kafka`, `spool` in words."""
        if time.monotonic() >= self._until:
            self._known = await self._asked()
            self._until = time.monotonic() + KEPT_SECONDS
        return self._known

    async def _asked(self) -> tuple[bool, dict[str, str]]:
        is_ready = await self._publisher.is_ready()
        spool = spool_of(self._publisher)
        is_on_kafka = is_ready and not spool.is_circuit_open
        status = "ready" if is_on_kafka else "degraded" if is_ready else "unavailable"
        kafka = "answers" if is_on_kafka else "does not answer"
        return is_ready, {"status": status, "kafka": kafka, "spool": str(spool)}
