"""The event loop's side of the spool: one thread commits what is waiting, a batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord, SpooledBatch
from pipeline.delivery.spool import Spool

# A batch is also handed to Kafka in one go, while the event loop does nothing else.
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 1024 * 1024
# If more than this waits for the disk, the disk hangs.
MAX_QUEUED_BYTES = 64 * 1024 * 1024
# A delete costs a commit: batches delivered within this time share one.
DELETE_AFTER_SECONDS = 0.05
RETRY_SECONDS = 1.0

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Backlog:
    """Writes records to `spool` in batches, in order; sets `changed` after each commit."""

    def __init__(self, spool: Spool, *, clock: Callable[[], float]) -> None:
        self.spool = spool
        self.changed = asyncio.Event()
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._queue: deque[SpooledBatch] = deque()
        self._queued_bytes = 0
        self._to_delete: list[int] = []
        # What the running commit deletes: a read that began before it still sees these batches.
        self._deleting: list[int] = []
        self._is_scheduled = False
        self._is_writing = False
        self._is_held = False
        self._is_failing = False
        try:
            spool.open()
        except SpoolError as error:
            self._log_failure(error)
        self._last = self.written = spool.last
        """The highest sequence number in the spool."""

    def start(self) -> None:
        """Start in the running event loop."""
        self._loop = asyncio.get_running_loop()

    @property
    def is_settled(self) -> bool:
        """Whether no write is running, and `take_queued` would leave nothing behind."""
        return not self._is_writing and not (self._queue and self._queue[0].was_in_flight)

    def hold(self, is_held: bool) -> None:  # noqa: FBT001  # the name says what it means
        """Whether to hold back records whose write has not begun."""
        self._is_held = is_held
        if not is_held and self._queue:
            self._write_soon()

    def take_queued(self) -> list[PendingRecord]:
        """Take back the records whose write has not begun, in order. Call it once `is_settled`."""
        items = [item for batch in self._queue for item in batch.items]
        self._queue.clear()
        self._queued_bytes = 0
        self._is_held = False
        return items

    def now(self) -> int:
        """Epoch ms."""
        return int(self._clock() * 1000)

    def add(self, item: PendingRecord) -> None:
        """Queue `item` for the spool; its request is notified once it is durable or has failed."""
        if self._queued_bytes > MAX_QUEUED_BYTES:
            item.finish("the disk does not keep up")
            return
        tail = self._queue[-1] if self._queue else None
        if tail is None or tail.was_in_flight or _is_full(tail):
            tail = self._append(was_in_flight=False)
        tail.add(item)
        self._queued_bytes += item.size
        self._write_soon()

    def add_in_flight(self, items: Iterable[PendingRecord]) -> list[SpooledBatch]:
        """Queue records that are on their way to Kafka, in order, as batches of their own."""
        batches: list[SpooledBatch] = []
        for item in items:
            if not batches or _is_full(batches[-1]):
                batches.append(self._append(was_in_flight=True))
            item.batch = batches[-1]
            batches[-1].add(item)
            batches[-1].in_flight += 1
            self._queued_bytes += item.size
        self._write_next()
        return batches

    def _append(self, *, was_in_flight: bool) -> SpooledBatch:
        self._last += 1
        batch = SpooledBatch(self._last, [], was_in_flight=was_in_flight)
        self._queue.append(batch)
        return batch

    def delete(self, seq: int) -> None:
        """Delete batch `seq`, which is on Kafka, with the next commit."""
        if not self._to_delete:
            self._loop.call_later(DELETE_AFTER_SECONDS, self._write_next)
        self._to_delete.append(seq)

    def is_deleted(self, seq: int) -> bool:
        """Whether `seq` is on Kafka, even if a read may still find it."""
        return seq in self._to_delete or seq in self._deleting

    def _write_soon(self) -> None:
        # A commit costs as much for one record as for fifty: whatever else this turn of the event
        # loop brings shares it (decision 0018).
        if not self._is_writing and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._write_next)

    def _write_next(self) -> None:
        self._is_scheduled = False
        has_next = bool(self._queue) and (not self._is_held or self._queue[0].was_in_flight)
        if self._is_writing or not (has_next or self._to_delete):
            return
        batch = self._queue.popleft() if has_next else SpooledBatch(0, [])
        self._deleting, self._to_delete = self._to_delete, []
        self._queued_bytes -= batch.size
        self._is_writing = True
        records = [item.record for item in batch.items]
        write = partial(
            self.spool.write,
            records,
            seq=batch.seq,
            spooled_at=self.now(),
            delete=self._deleting,
        )
        self._loop.run_in_executor(self._thread, write).add_done_callback(
            partial(self._wrote, batch)
        )

    def _wrote(self, batch: SpooledBatch, result: asyncio.Future[None]) -> None:
        self._is_writing = False
        deleted, self._deleting = self._deleting, []
        error = result.exception()
        if error is None:
            self._is_failing = False
            self.written = max(self.written, batch.seq)
        else:
            self._log_failure(error)
            self._to_delete = deleted + self._to_delete
            if not self._queue:
                self._loop.call_later(RETRY_SECONDS, self._write_next)
        items, batch.items = batch.items, []
        for item in items:
            item.finish(error)
        if self._queue:
            self._write_soon()
        elif self._to_delete and error is None:
            self._loop.call_later(DELETE_AFTER_SECONDS, self._write_next)
        self.changed.set()

    def _log_failure(self, error: BaseException) -> None:
        if not self._is_failing:
            log.error("the spool cannot be written: %s", error)
        self._is_failing = True

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in the spool's thread."""
        return await self._loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Finish the running write, and delete the batches that were delivered. Blocks."""
        self._thread.shutdown(wait=True)
        if self._to_delete:
            with suppress(SpoolError):  # they are sent again, and dropped as duplicates
                self.spool.write([], seq=0, spooled_at=0, delete=self._to_delete)
        self.spool.close()


def _is_full(batch: SpooledBatch) -> bool:
    return len(batch.items) >= MAX_BATCH_RECORDS or batch.size >= MAX_BATCH_BYTES
