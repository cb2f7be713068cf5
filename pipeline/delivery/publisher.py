"""What a request waits for: its records durable, on Kafka or in the spool (decision 0013)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol

from pipeline.delivery.clock import ClockWatch

OnDurable = Callable[[object | None], None]
"""Hears, once, that all is durable (None), or what is in the way; then some of it may be on Kafka
all the same."""


class Record(NamedTuple):
    """A record as Kafka will have it."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class SpoolState:
    """What waits for Kafka on ingest's disk, and whether new records go there, too."""

    records: int = 0
    bytes: int = 0
    age: timedelta = timedelta(0)
    """Of the oldest record."""
    is_circuit_open: bool = False
    why: str = ""
    """Why Kafka takes no records; empty where that is not known."""

    def __str__(self) -> str:
        if not self.records:
            return "empty"
        return f"{self.records} records, the oldest {self.age.total_seconds():.0f} s old"


class Publisher(Protocol):
    """Makes records durable: on Kafka, or in the spool until Kafka has them."""

    @property
    def clock(self) -> ClockWatch:
        """Ingest's clock beside Kafka's."""

    def start(self) -> None:
        """Begin, in the running event loop."""

    def publish(self, records: list[Record], told: OnDurable) -> None:
        """Make every record durable, then call `told`, now or later. There is at least one."""

    async def is_ready(self) -> bool:
        """Whether a publish would be likely to succeed."""

    def spool(self) -> SpoolState:
        """What waits for Kafka."""

    def close(self) -> None:
        """Send what is queued, then let go. Blocks for a few seconds at most."""


@dataclass(slots=True)
class MemoryPublisher:
    """Keeps what it is given, in order; for tests and measurements without Kafka."""

    published: list[list[Record]] = field(default_factory=list)
    clock: ClockWatch = field(default_factory=lambda: ClockWatch(time.time))

    def start(self) -> None:
        """Nothing to begin."""

    def publish(self, records: list[Record], told: OnDurable) -> None:
        """Durable as long as the object lives."""
        self.published.append(records)
        told(None)

    async def is_ready(self) -> bool:
        """As ready as memory."""
        return True

    def spool(self) -> SpoolState:
        """Memory waits for nobody."""
        return SpoolState()

    def close(self) -> None:
        """Nothing to let go."""
