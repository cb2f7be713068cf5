"""From the spool to Kafka, in the spool's order; what no retry can mend goes to `rejected`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from pipeline.ingest.durable.backlog import Backlog
from pipeline.ingest.durable.orphans import adopt
from pipeline.ingest.durable.pending import Batch, Item, Record, Waiting
from pipeline.ingest.durable.refusal import refusals
from pipeline.ingest.durable.sending import Failure, Sender
from pipeline.ingest.durable.slots import SpoolError

# What may be on its way from the spool: enough for a broker that takes five seconds to answer.
WINDOW_RECORDS = 20_000
WINDOW_BYTES = 64 * 1024 * 1024
# Between two looks at what nothing tells of.
PAUSE = timedelta(milliseconds=500).total_seconds()
LONGEST_PAUSE = timedelta(minutes=1).total_seconds()
ADOPT_EVERY = timedelta(seconds=15).total_seconds()

log = logging.getLogger(__name__)


class Replay:
    """Reads the backlog while the circuit is open, and says when it may close.

    `closed` closes it, `opened` opens it (with the reason), `tick` sees to it that `Sender` is
    polled.
    """

    def __init__(
        self,
        sender: Sender,
        backlog: Backlog,
        *,
        topic: str,
        rejected: str,
        limit: timedelta,
        tick: Callable[[], None],
        opened: Callable[[str], None],
        closed: Callable[[], None],
    ) -> None:
        self._sender = sender
        self._backlog = backlog
        self._topic = topic
        self._rejected = rejected
        # Half of the limit, so that a broker at the edge of it does not open and close the circuit.
        self._quick = limit / 2
        self._tick = tick
        self._open = opened
        self._close = closed
        self._is_open = True
        self._is_quick = False
        self._pause = PAUSE
        self._probe_at = 0.0
        self._adopt_at = 0.0
        # Batches whose records fly, by number; those that Kafka refused in company.
        self._batches: dict[int, Batch] = {}
        self._suspects: set[int] = set()
        self._cursor = 0
        self._must_rewind = False
        self._changed = asyncio.Event()
        backlog.changed = self._changed.set

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End; what flies may still land."""
        self._task.cancel()

    def opened(self, flying: Iterable[Batch]) -> None:
        """The circuit is open; `flying` is in the spool and on its way."""
        self._batches.update((batch.seq, batch) for batch in flying)
        self._is_open, self._is_quick = True, False
        # A broker whose answers come too late each time is asked ever more rarely.
        self._probe_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._changed.set()

    def saw(self, seconds: float) -> None:
        """An acknowledgement came, so many seconds after its record had been handed over."""
        self._is_quick = seconds < self._quick.total_seconds()
        if self._is_quick:
            self._pause = PAUSE

    def landed(self, batch: Batch, failure: Failure | None) -> None:
        """A record of `batch` is on Kafka, or has failed."""
        batch.left -= 1
        if failure is not None:
            batch.is_failed = self._must_rewind = True
            if failure.is_permanent:
                self._suspects.add(batch.seq)
        if batch.left == 0:
            self._batches.pop(batch.seq, None)
            if not batch.is_failed:
                self._backlog.forget(batch.seq)
            self._changed.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._step()
            except SpoolError as error:
                log.error("the spool cannot be read: %s", error)  # noqa: TRY400  # no bug of ours
                await asyncio.sleep(1)
            except Exception:
                # A replay that ends would strand what it has promised.
                log.exception("replay begins again")
                self._must_rewind = True
                await asyncio.sleep(1)

    async def _step(self) -> None:
        self._changed.clear()
        if self._must_rewind:
            await self._rewind()
        elif self._cursor < self._backlog.written and self._has_room():
            await self._next()
            return
        elif self._is_open:
            await self._try_to_close()
        if time.monotonic() > self._adopt_at:
            self._adopt_at = time.monotonic() + ADOPT_EVERY
            await adopt(self._backlog, lambda: self._open("another process left a spool"))
        try:
            await asyncio.wait_for(self._changed.wait(), PAUSE)
        except TimeoutError:
            return

    def _has_room(self) -> bool:
        return (
            len(self._sender.flying) < WINDOW_RECORDS
            and sum(batch.size for batch in self._batches.values()) < WINDOW_BYTES
        )

    async def _next(self) -> None:
        """Hand the next batch to Kafka."""
        found = await self._backlog.run(self._backlog.spool.read, after=self._cursor)
        if found is None:
            self._cursor = self._backlog.written
            return
        seq, records = found
        if seq in self._suspects:
            if self._sender.flying:
                await asyncio.sleep(PAUSE)
            else:
                await self._singly(seq, records)
            return
        self._cursor = seq
        if seq in self._batches or self._backlog.is_forgotten(seq):
            return
        batch = self._batches[seq] = Batch(seq, [], left=len(records))
        for record in records:
            item = Item(record, batch=batch)
            batch.size += item.size
            while not self._sender.send(item):
                self._tick()
                await asyncio.sleep(PAUSE)
        self._tick()

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

    async def _singly(self, seq: int, records: list[Record]) -> None:
        """Send a batch that Kafka refused record by record, to tell which it was."""
        for record in records:
            failure = await self._sent(record)
            if failure is not None and failure.is_permanent:
                failure = await self._refuse(record, failure.reason)
            if failure is not None:
                await asyncio.sleep(1)
                return
        self._suspects.discard(seq)
        self._cursor = seq
        self._backlog.forget(seq)

    async def _refuse(self, record: Record, reason: str) -> Failure | None:
        log.error("Kafka takes no such record, its events go to %s: %s", self._rejected, reason)
        for refused in refusals(record, reason, topic=self._rejected):
            failure = await self._sent(refused)
            if failure is not None and failure.is_permanent:
                await self._backlog.run(self._backlog.spool.refuse, refused, failure.reason)
            elif failure is not None:
                return failure
        return None

    async def _sent(self, record: Record) -> Failure | None:
        waiting = Waiting(1, asyncio.get_running_loop())
        if not self._sender.send(Item(record, waiting)):
            return Failure("too much is waiting for Kafka")
        self._tick()
        trouble = await waiting.done
        return trouble if isinstance(trouble, Failure) else None

    async def _try_to_close(self) -> None:
        if not self._is_closable():
            return
        if not self._is_quick:
            if self._sender.flying or time.monotonic() < self._probe_at:
                return
            self._probe_at = time.monotonic() + self._pause
            if not await asyncio.to_thread(self._sender.knows, self._topic, within=self._quick):
                return
        # Records may have come while the answer was awaited.
        if self._is_closable():
            self._is_open = False
            self._close()

    def _is_closable(self) -> bool:
        """Whether all of the spool has been handed over, and nothing of it waits for long."""
        if self._must_rewind or not self._backlog.is_idle:
            return False
        if self._cursor < self._backlog.written:
            return False
        oldest = next(iter(self._sender.flying), None)
        waited = time.monotonic() - oldest.since if oldest is not None else 0.0
        return waited < self._quick.total_seconds()
