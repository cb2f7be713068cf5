"""Whether Kafka acknowledges quickly enough for requests to wait for it again."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from pipeline.delivery.producer import RecordProducer

PAUSE = timedelta(milliseconds=500).total_seconds()
LONGEST_PAUSE = timedelta(minutes=1).total_seconds()


class Probe:
    """Learns from acknowledgements; while none is expected it asks, ever more rarely."""

    def __init__(self, sender: RecordProducer, topic: str, *, limit: timedelta) -> None:
        self._sender = sender
        self._topic = topic
        # Half of the limit, so that a broker at the edge of it does not open and close the circuit.
        self._quick = limit / 2
        self._was_quick = False
        self._pause = PAUSE
        self._ask_at = 0.0

    def opened(self) -> None:
        """The circuit is open. A broker whose answers come too late is asked ever more rarely."""
        self._was_quick = False
        self._ask_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def saw(self, seconds: float) -> None:
        """An acknowledgement came, so many seconds after its record had been handed over."""
        self._was_quick = seconds < self._quick.total_seconds()
        if self._was_quick:
            self._pause = PAUSE

    @property
    def is_quick(self) -> bool:
        """Whether the last answer was, and nothing waits for long now."""
        oldest = next(iter(self._sender.flying), None)
        waited = time.monotonic() - oldest.since if oldest is not None else 0.0
        return self._was_quick and waited < self._quick.total_seconds()

    async def ask(self) -> None:
        """Ask Kafka, if it is time to and no acknowledgement is expected anyway."""
        if self._was_quick or self._sender.flying or time.monotonic() < self._ask_at:
            return
        self._ask_at = time.monotonic() + self._pause
        self._was_quick = await asyncio.to_thread(
            self._sender.knows, self._topic, within=self._quick
        )
