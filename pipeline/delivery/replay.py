"""From the spool to Kafka, in the spool's order; what no retry can mend goes to `rejected`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.fitness import Fitness
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord, SpooledBatch
from pipeline.delivery.poison import PoisonIsolation
from pipeline.delivery.probe import Probe
from pipeline.delivery.producer import DeliveryFailure, RecordProducer
from pipeline.delivery.publisher import Record
from pipeline.delivery.recovery import adopt

# What may be on its way from the spool: enough for a broker that takes five seconds to answer.
WINDOW_RECORDS = 20_000
WINDOW_BYTES = 64 * 1024 * 1024
# Batches that the end of the spool may be away for requests to wait for it: some milliseconds.
NEAR = 8
# Between two looks at what nothing tells of.
PAUSE = timedelta(milliseconds=500).total_seconds()
ADOPT_EVERY = timedelta(seconds=15).total_seconds()

log = logging.getLogger(__name__)


class Replay:
    """Reads the backlog while the circuit is open, and says when it may close.

    `closed` closes it, `opened` opens it (with the reason), `tick` keeps the producer polled;
    `check` has to pass before the first record is sent.
    """

    def __init__(
        self,
        sender: RecordProducer,
        backlog: Backlog,
        probe: Probe,
        *,
        rejected: str,
        tick: Callable[[], None],
        opened: Callable[[str], None],
        closed: Callable[[], None],
        check: Callable[[], None],
    ) -> None:
        self._sender = sender
        self._backlog = backlog
        self._singly = PoisonIsolation(sender, backlog, rejected=rejected, tick=tick)
        self._probe = probe
        self._tick = tick
        self._open = opened
        self._close = closed
        self._fitness = Fitness(check)
        self._is_open = True
        self._adopt_at = 0.0
        # Batches whose records fly, by number, and their bytes.
        self._batches: dict[int, SpooledBatch] = {}
        self._bytes = 0
        # Those of which Kafka refused a record, by number, with the places of what has landed.
        self._suspects: dict[int, set[int]] = {}
        self._cursor = 0
        self._must_rewind = False
        self._changed = asyncio.Event()
        backlog.changed = self._changed.set

    @property
    def why(self) -> str:
        """Why Kafka takes no records; empty where that is not known."""
        return self._fitness.why

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End; what flies may still land."""
        self._task.cancel()

    def opened(self, flying: Iterable[SpooledBatch]) -> None:
        """The circuit is open; `flying` is in the spool and on its way."""
        for batch in flying:
            self._fly(batch)
        self._is_open = True
        self._probe.opened()
        self._changed.set()

    def landed(self, batch: SpooledBatch, place: int, failure: DeliveryFailure | None) -> None:
        """The record at `place` in `batch` is on Kafka, or has failed."""
        batch.left -= 1
        if failure is None:
            batch.landed.add(place)
        else:
            batch.is_failed = self._must_rewind = True
            if failure.is_permanent:
                # The set itself: what lands after it counts, too.
                self._suspects[batch.seq] = batch.landed
        if batch.left == 0:
            del self._batches[batch.seq]
            self._bytes -= batch.size
            if not batch.is_failed:
                self._backlog.forget(batch.seq)
            self._changed.set()

    async def _run(self) -> None:
        await self._fitness.wait()
        while True:
            try:
                await self._step()
            except SpoolError as error:
                log.error("the spool cannot be read: %s", error)  # noqa: TRY400  # no bug of ours
            except Exception:
                # A replay that ends would strand what it has promised.
                log.exception("replay begins again")
                self._must_rewind = True
            else:
                continue
            self._backlog.hold(False)
            await asyncio.sleep(1)

    async def _step(self) -> None:
        self._changed.clear()
        self._backlog.hold(self._is_near_the_end())
        if self._must_rewind:
            await self._rewind()
        elif self._cursor < self._backlog.written and self._has_room():
            await self._next()
            return
        elif self._is_open:
            await self._probe.ask()
            self._close_if_done()
            if self._is_open and not self._probe.is_quick:
                self._fitness.look()
        if time.monotonic() > self._adopt_at:
            self._adopt_at = time.monotonic() + ADOPT_EVERY
            self._backlog.hold(False)
            await adopt(self._backlog, lambda: self._open("another process left a spool"))
        try:
            await asyncio.wait_for(self._changed.wait(), PAUSE)
        except TimeoutError:
            return

    def _has_room(self) -> bool:
        return len(self._sender.flying) < WINDOW_RECORDS and self._bytes < WINDOW_BYTES

    def _fly(self, batch: SpooledBatch) -> None:
        self._batches[batch.seq] = batch
        self._bytes += batch.size

    async def _next(self) -> None:
        """Hand the next batch to Kafka."""
        found = await self._backlog.run(self._backlog.spool.read, after=self._cursor)
        if found is None:
            self._cursor = self._backlog.written
            return
        seq, records = found
        if seq in self._suspects:
            await self._next_suspect(seq, records)
            return
        self._cursor = seq
        if seq in self._batches or self._backlog.is_forgotten(seq):
            return
        batch = SpooledBatch(seq, [], left=len(records))
        items = [
            PendingRecord(record, batch=batch, place=place) for place, record in enumerate(records)
        ]
        batch.size = sum(item.size for item in items)
        self._fly(batch)
        for item in items:
            while not self._sender.send(item):
                self._tick()
                await asyncio.sleep(PAUSE)
        self._tick()

    async def _next_suspect(self, seq: int, records: list[Record]) -> None:
        landed = self._suspects[seq]
        left = [record for place, record in enumerate(records) if place not in landed]
        if self._sender.flying:
            await asyncio.sleep(PAUSE)
        elif await self._singly.deliver(left) is not None:
            await asyncio.sleep(1)
        else:
            del self._suspects[seq]
            self._cursor = seq
            self._backlog.forget(seq)

    async def _rewind(self) -> None:
        """A record failed: those behind it are called back, and all are sent again in order."""
        self._sender.recall()
        self._sender.poll()
        if self._batches:
            return
        await asyncio.sleep(PAUSE)
        self._sender.renew()
        self._must_rewind = False
        self._cursor = 0

    def _is_near_the_end(self) -> bool:
        """Whether a moment without further commits would let the circuit close.

        Without it the spool of a door that is never idle would never be empty.
        """
        if not self._is_open or self._must_rewind or self._suspects:
            return False
        return self._probe.is_quick and self._backlog.written - self._cursor <= NEAR

    def _close_if_done(self) -> None:
        """Close the circuit once all of the spool has been handed over to a quick Kafka."""
        is_done = self._cursor >= self._backlog.written and self._backlog.is_settled
        if is_done and not self._must_rewind and self._probe.is_quick:
            self._is_open = False
            self._close()
