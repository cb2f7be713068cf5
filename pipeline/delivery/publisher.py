"""What a request waits for: its records durable, on Kafka or in the spool (decision 0013)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol

from pipeline.delivery.clock import ClockWatch

OnDurable = Callable[[object | None], None]
"""Called once: with None when every record is durable, else with what went wrong. In that case some
of the records may still reach Kafka."""


class Record(NamedTuple):
    """A Kafka record."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class SpoolState:
    """What waits for Kafka on ingest's disk, and whether new records go there too."""

    records: int = 0
    bytes: int = 0
    age: timedelta = timedelta(0)
    """Of the oldest record."""
    is_circuit_open: bool = False
    why: str = ""
    """Why Kafka accepts no records; empty if unknown."""

    def __str__(self) -> str:
        if not self.records:
            return "empty"
        return f"{self.records} records, the oldest {self.age.total_seconds():.0f} s old"


class Publisher(Protocol):
    """Makes records durable: on Kafka, or in the spool until Kafka has them."""

    @property
    def clock(self) -> ClockWatch:
        """Ingest's clock compared with Kafka's."""

    def start(self) -> None:
        """Start in the running event loop."""

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        """Make `records` durable, then call `on_durable`, now or later. `records` is not empty."""

    async def is_ready(self) -> bool:
        """Whether a publish would probably succeed."""

    def spool(self) -> SpoolState:
        """What waits for Kafka."""

    def close(self) -> None:
        """Send what is queued and stop. Blocks for a few seconds at most."""


@dataclass(slots=True)
class MemoryPublisher:
    """Keeps records in memory, in order; for tests and benchmarks without Kafka."""

    published: list[list[Record]] = field(default_factory=list)
    clock: ClockWatch = field(default_factory=lambda: ClockWatch(time.time))

    def start(self) -> None:
        """Do nothing."""

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        """Append `records`; they last as long as this object."""
        self.published.append(records)
        on_durable(None)

    async def is_ready(self) -> bool:
        """Always."""
        return True

    def spool(self) -> SpoolState:
        """Always empty."""
        return SpoolState()

    def close(self) -> None:
        """Do nothing."""
