"""Records to Kafka, or by way of the spool while Kafka does not acknowledge (decision 0013).

The circuit is closed: a record goes to Kafka, and its request waits for the acknowledgement. When
one takes longer than the limit, or fails, the circuit opens: all that flies is spooled in its
order, and what comes goes to the spool behind it. `Replay` hands the spool to Kafka, in its order.
The circuit closes once all of it has been handed over and Kafka is quick again: what waits for the
disk then, and what comes next, queues up behind it.

All of this runs in the event loop, but for the disk, which has a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from pipeline.config import Settings
from pipeline.delivery.backlog import Backlog
from pipeline.delivery.clock import ClockWatch
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord, PendingRequest
from pipeline.delivery.probe import Probe
from pipeline.delivery.producer import DeliveryFailure, RecordProducer
from pipeline.delivery.publisher import OnDurable, Record, SpoolState
from pipeline.delivery.replay import Replay
from pipeline.delivery.spool import Spool
from pipeline.topics import topics

# How often answers are fetched: while requests wait for them, and while only the spool does. The
# loop's timers know no less than a millisecond: with less it would never sleep.
TICK = timedelta(milliseconds=1).total_seconds()
SLOW_TICK = timedelta(milliseconds=20).total_seconds()
LONGEST_FLUSH = timedelta(seconds=5)

log = logging.getLogger(__name__)


class KafkaPublisher:
    """See `Publisher`.

    `check` raises `KafkaUnusableError` while nothing may be sent yet; until it has passed once, all
    stays in the spool.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        names = topics(settings)
        self._beacons, self._rejected = names.beacons.name, names.rejected.name
        self._limit = settings.ack_timeout
        self._limit_seconds = self._limit.total_seconds()
        self._is_ticking = False
        # What this turn of the event loop has brought.
        self._gathered: list[PendingRecord] = []
        # Until Kafka has answered, nobody should wait for it.
        self.is_circuit_open = True
        """Whether records go to the spool first."""
        self._backlog = Backlog(
            Spool(settings.home / "spool", cap=settings.spool_bytes), clock=clock
        )
        self.clock = ClockWatch(clock)
        """See `Publisher`."""
        self._sender = RecordProducer(settings, self._told, self.clock)
        self._probe = Probe(self._sender, self._beacons, limit=self._limit)
        self._replay = Replay(
            self._sender,
            self._backlog,
            self._probe,
            rejected=self._rejected,
            tick=self._tick_on,
            opened=self._open,
            closed=self._close_circuit,
            check=check,
        )

    def spool(self) -> SpoolState:
        """See `Publisher`."""
        spool = self._backlog.spool
        return SpoolState(
            spool.depth,
            spool.size,
            spool.age(now=self._backlog.now()),
            self.is_circuit_open,
            self._replay.why,
        )

    def start(self) -> None:
        """See `Publisher`."""
        self._loop = asyncio.get_running_loop()
        self._backlog.start()
        self._replay.start()

    def publish(self, records: list[Record], told: OnDurable) -> None:
        """See `Publisher`."""
        waiting = PendingRequest(len(records), told)
        for record in records:
            self._take(PendingRecord(record, waiting))

    def _take(self, item: PendingRecord) -> None:
        if self.is_circuit_open:
            self._backlog.add(item)
            return
        # librdkafka sends the first it is given at once, alone: all of a turn come together
        # (decision 0018).
        if not self._gathered:
            self._loop.call_soon(self._turn)
        self._gathered.append(item)

    def _turn(self) -> None:
        self._hand_over()
        self._sender.poll()
        self._tick_on()

    def _hand_over(self) -> None:
        """Give what was gathered to Kafka, or to the spool once the circuit is open."""
        gathered, self._gathered = self._gathered, []
        for item in gathered:
            if not self.is_circuit_open:
                if self._sender.send(item):
                    continue
                self._open("too much is waiting for it")
            self._backlog.add(item)

    def _told(self, item: PendingRecord, failure: DeliveryFailure | None) -> None:
        if failure is None:
            if self.is_circuit_open:
                self._probe.saw(time.monotonic() - item.since)
            item.tell()
        elif item.batch is None and not self.is_circuit_open:
            # Gives it, and all that flies with it, a place in the spool.
            self._open(failure.reason)
        if item.batch is not None:
            self._replay.landed(item.batch, item.place, failure)
        elif failure is not None:
            item.tell(failure)

    def _open(self, reason: str) -> None:
        """Open the circuit: what flies keeps its place, in the spool before what comes."""
        if self.is_circuit_open:
            return
        self.is_circuit_open = True
        log.warning("Kafka: %s; records go to the spool", reason)
        flying = [item for item in self._sender.flying if item.waiting is not None]
        self._replay.opened(self._backlog.add_flying(flying))
        self._hand_over()

    def _close_circuit(self) -> None:
        self.is_circuit_open = False
        for item in self._backlog.take_back():
            self._take(item)
        log.info("Kafka acknowledges: records go straight to it")

    def _tick_on(self) -> None:
        if not self._is_ticking and self._sender.flying:
            self._is_ticking = True
            self._loop.call_later(SLOW_TICK if self.is_circuit_open else TICK, self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        self._sender.poll()
        if not self.is_circuit_open and self._sender.flying:
            oldest = next(iter(self._sender.flying))
            if time.monotonic() - oldest.since > self._limit_seconds:
                self._open(f"no answer within {self._limit_seconds:g} s")
        self._tick_on()

    async def is_ready(self) -> bool:
        """Whether Kafka acknowledges or the spool has room."""
        if not self.is_circuit_open:
            return True
        try:
            await self._backlog.run(self._backlog.spool.check)
        except SpoolError:
            return False
        return True

    def close(self) -> None:
        """See `Publisher`."""
        self._replay.stop()
        self._hand_over()
        # What is in the spool need not wait for a Kafka that is away.
        within = timedelta(0) if self.is_circuit_open else min(self._limit, LONGEST_FLUSH)
        self._sender.flush(within=within)
        self._backlog.close()
