"""Where a record goes, and how its acknowledgement comes back (decision 0013).

The circuit is closed: a record goes straight to Kafka, and its request waits for the
acknowledgement. If one fails, or takes longer than the limit, the circuit opens: all that is in
flight is spooled in order, and new records are spooled behind it. `Replay` sends the spool to Kafka
in order. The circuit closes once all of it has been sent and Kafka is quick again: what still waits
for the disk then, and what comes next, queues up behind it.

The way back: librdkafka reports to the producer, the producer to the sender of the record, which is
`Circuit._delivered` or `Replay.delivered`, and the sender to the request.

All of this runs in the event loop; only the disk has a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.health import Diagnosis, Probe
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import (
    POLL_SECONDS,
    SLOW_POLL_SECONDS,
    DeliveryFailure,
    RecordProducer,
)
from pipeline.delivery.recovery import recover_abandoned
from pipeline.delivery.replay import Replay

# With so few batches left, requests may wait for the circuit to close: some milliseconds.
NEARLY_EMPTY = 8
PAUSE_SECONDS = 0.5
RECOVERY_SECONDS = 15.0

log = logging.getLogger(__name__)


class Circuit:
    """Makes records durable on Kafka while it is closed, in the spool while it is open."""

    def __init__(
        self,
        producer: RecordProducer,
        backlog: Backlog,
        probe: Probe,
        replay: Replay,
        diagnosis: Diagnosis,
        *,
        limit: timedelta,
    ) -> None:
        self._producer = producer
        self._backlog = backlog
        self._probe = probe
        self._replay = replay
        self._diagnosis = diagnosis
        self._limit = limit.total_seconds()
        # What this turn of the event loop has brought.
        self._gathered: list[PendingRecord] = []
        self._timeout: asyncio.TimerHandle | None = None
        self._recover_at = 0.0
        # Until Kafka has answered, no request should wait for it.
        self.is_open = True

    def start(self) -> None:
        """Start in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._backlog.start()
        self._producer.start()
        self._task = self._loop.create_task(self._run())

    def take(self, item: PendingRecord) -> None:
        """Make `item` durable; its request is notified, now or later."""
        if self.is_open:
            self._backlog.add(item)
            return
        # librdkafka sends the first record at once, alone: all of a turn are handed over together
        # (decision 0018).
        if not self._gathered:
            self._loop.call_soon(self._end_turn)
        self._gathered.append(item)

    def _end_turn(self) -> None:
        self._send_gathered()
        self._producer.poll()

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        for item in gathered:
            if not self.is_open:
                if self._producer.send(item, self._delivered):
                    continue
                self.open("the producer's queue is full")
            self._backlog.add(item)

    def _delivered(self, item: PendingRecord, failure: DeliveryFailure | None) -> None:
        """A record that went straight to Kafka is there, or has failed."""
        if item.batch is None:
            if failure is None:
                item.finish()
                return
            # Gives it, and all in flight with it, a place in the spool.
            self.open(failure.reason)
        self._replay.delivered(item, failure)

    def open(self, reason: str) -> None:
        """Spool what is in flight, in its order, before what comes next."""
        if self.is_open:
            return
        self.is_open = True
        log.warning("Kafka: %s; records go to the spool", reason)
        if self._timeout is not None:
            self._timeout.cancel()
        self._producer.poll_seconds = SLOW_POLL_SECONDS
        in_flight = [item for item in self._producer.in_flight if item.request is not None]
        self._replay.track(self._backlog.add_in_flight(in_flight))
        self._send_gathered()
        self._probe.circuit_opened()
        self._backlog.changed.set()

    def close(self) -> None:
        """Send straight to Kafka what has not been written to the spool yet, and what comes."""
        self.is_open = False
        self._producer.poll_seconds = POLL_SECONDS
        self._open_if_late()
        for item in self._backlog.take_queued():
            self.take(item)
        log.info("Kafka acknowledges: records go straight to it")

    def _open_if_late(self) -> None:
        """Open once a record has been in flight for longer than the limit."""
        now = time.monotonic()
        oldest = next(iter(self._producer.in_flight), None)
        late_at = (now if oldest is None else oldest.sent_at) + self._limit
        if late_at < now:
            self.open(f"no answer within {self._limit:g} s")
        else:
            self._timeout = self._loop.call_later(late_at - now, self._open_if_late)

    async def _run(self) -> None:
        await self._diagnosis.wait_until_usable()
        while True:
            try:
                await self._step()
            except SpoolError as error:
                log.error("the spool cannot be read: %s", error)  # noqa: TRY400  # no bug of ours
            except Exception:
                # Without a replay, what was answered 204 would never reach Kafka.
                log.exception("the replay of the spool failed and starts again")
                self._replay.must_rewind = True
            else:
                continue
            self._backlog.hold(False)
            await asyncio.sleep(1)

    async def _step(self) -> None:
        self._backlog.changed.clear()
        self._backlog.hold(self._is_about_to_close())
        if self._replay.must_rewind:
            # What comes next must not overtake what is sent again.
            self.open("a record of the spool failed")
            await self._replay.rewind()
        elif self._replay.has_next():
            await self._replay.send_next()
            return
        elif self.is_open:
            await self._probe.ask()
            if self._may_close():
                self.close()
            elif not self._probe.is_quick:
                self._diagnosis.start_if_due()
        if time.monotonic() > self._recover_at:
            self._recover_at = time.monotonic() + RECOVERY_SECONDS
            self._backlog.hold(False)
            await recover_abandoned(
                self._backlog, lambda: self.open("a spool of another process was abandoned")
            )
        try:
            await asyncio.wait_for(self._backlog.changed.wait(), PAUSE_SECONDS)
        except TimeoutError:
            return

    def _is_about_to_close(self) -> bool:
        """Whether a moment without further commits would let the circuit close.

        Without such a moment the spool of a busy ingest would never be empty.
        """
        if not self.is_open or not self._replay.is_clean:
            return False
        return self._probe.is_quick and self._replay.remaining <= NEARLY_EMPTY

    def _may_close(self) -> bool:
        """Whether all of the spool has been sent to a quick Kafka."""
        is_sent = self._replay.remaining <= 0 and self._backlog.is_settled
        return is_sent and not self._replay.must_rewind and self._probe.is_quick

    def stop(self) -> None:
        """Stop replaying, and hand over what was gathered."""
        self._task.cancel()
        if self._timeout is not None:
            self._timeout.cancel()
        self._send_gathered()
