"""The event loop's side of the spool: group commit by one thread, and what has to be forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord, SpooledBatch
from pipeline.delivery.spool import Spool

# A batch is also what is handed to Kafka in one go, while the loop does nothing else.
BATCH_RECORDS = 500
BATCH_BYTES = 1024 * 1024
# More than this waiting for the disk is a disk that hangs.
QUEUED_BYTES = 64 * 1024 * 1024
# Forgetting costs a commit: what has landed meanwhile shares it.
FORGET_AFTER = timedelta(milliseconds=50).total_seconds()

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Backlog:
    """Batches in the order of their records; `changed` is called whenever one is there to read."""

    def __init__(self, spool: Spool, *, clock: Callable[[], float]) -> None:
        self.spool = spool
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._queue: deque[SpooledBatch] = deque()
        self._queued_bytes = 0
        self._gone: list[int] = []
        # What the commit that is running deletes: a read before it has them still.
        self._going: list[int] = []
        self._is_gathering = False
        self._is_writing = False
        self._is_held = False
        self._is_troubled = False
        try:
            spool.open()
        except SpoolError as error:
            self._trouble(error)
        self._last = self.written = spool.last
        """The highest number of a batch in the spool."""
        self.changed: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._loop = asyncio.get_running_loop()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being written, and `take_back` would leave nothing behind."""
        return not self._is_writing and not (self._queue and self._queue[0].is_flying)

    def hold(self, is_held: bool) -> None:  # noqa: FBT001  # it says what it is
        """Whether records that nobody has begun to write shall wait."""
        self._is_held = is_held
        if not is_held and self._queue:
            self._write_soon()

    def take_back(self) -> list[PendingRecord]:
        """The records that nobody has begun to write, in their order. Once `is_settled`."""
        items = [item for batch in self._queue for item in batch.items]
        self._queue.clear()
        self._queued_bytes = 0
        self._is_held = False
        return items

    def now(self) -> int:
        """Epoch ms."""
        return int(self._clock() * 1000)

    def add(self, item: PendingRecord) -> None:
        """Put `item` into the spool; it is told once it is durable, or will not be."""
        if self._queued_bytes > QUEUED_BYTES:
            item.tell("the disk does not keep up")
            return
        tail = self._queue[-1] if self._queue else None
        if tail is None or tail.is_flying or _is_full(tail):
            tail = self._append(is_flying=False)
        tail.add(item)
        self._queued_bytes += item.size
        self._write_soon()

    def add_flying(self, items: Iterable[PendingRecord]) -> list[SpooledBatch]:
        """Put what flies to Kafka into the spool, in its order, as batches of its own."""
        batches: list[SpooledBatch] = []
        for item in items:
            if not batches or _is_full(batches[-1]):
                batches.append(self._append(is_flying=True))
            item.batch = batches[-1]
            batches[-1].add(item)
            batches[-1].left += 1
            self._queued_bytes += item.size
        self._write_next()
        return batches

    def _append(self, *, is_flying: bool) -> SpooledBatch:
        self._last += 1
        batch = SpooledBatch(self._last, [], is_flying=is_flying)
        self._queue.append(batch)
        return batch

    def forget(self, seq: int) -> None:
        """Batch `seq` is on Kafka."""
        if not self._gone:
            self._loop.call_later(FORGET_AFTER, self._write_next)
        self._gone.append(seq)

    def is_forgotten(self, seq: int) -> bool:
        """Whether `seq` is on Kafka, though still in the spool."""
        return seq in self._gone or seq in self._going

    def _write_soon(self) -> None:
        # A commit costs as much for one record as for fifty: what else this turn of the event loop
        # brings shares it (decision 0018).
        if not self._is_writing and not self._is_gathering:
            self._is_gathering = True
            self._loop.call_soon(self._write_next)

    def _write_next(self) -> None:
        self._is_gathering = False
        is_next = bool(self._queue) and (not self._is_held or self._queue[0].is_flying)
        if self._is_writing or not (is_next or self._gone):
            return
        batch = self._queue.popleft() if is_next else SpooledBatch(0, [])
        self._going, self._gone = self._gone, []
        self._queued_bytes -= batch.size
        self._is_writing = True
        records = [item.record for item in batch.items]
        write = partial(
            self.spool.write, records, seq=batch.seq, spooled_at=self.now(), gone=self._going
        )
        self._loop.run_in_executor(self._thread, write).add_done_callback(
            partial(self._wrote, batch)
        )

    def _wrote(self, batch: SpooledBatch, result: asyncio.Future[None]) -> None:
        self._is_writing = False
        going, self._going = self._going, []
        error = result.exception()
        if error is None:
            self._is_troubled = False
            self.written = max(self.written, batch.seq)
        else:
            self._trouble(error)
            self._gone = going + self._gone
            if not self._queue:
                self._loop.call_later(1.0, self._write_next)
        items, batch.items = batch.items, []
        for item in items:
            item.tell(error)
        if self._queue:
            self._write_soon()
        elif self._gone and error is None:
            self._loop.call_later(FORGET_AFTER, self._write_next)
        self.changed()

    def _trouble(self, error: BaseException) -> None:
        if not self._is_troubled:
            log.error("the spool takes nothing: %s", error)
        self._is_troubled = True

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` in the spool's thread."""
        return await self._loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Finish what is being written, and forget what has landed. Blocks."""
        self._thread.shutdown(wait=True)
        if self._gone:
            with suppress(SpoolError):  # it is sent again, and dropped as a duplicate
                self.spool.write([], seq=0, spooled_at=0, gone=self._gone)
        self.spool.close()


def _is_full(batch: SpooledBatch) -> bool:
    return len(batch.items) >= BATCH_RECORDS or batch.size >= BATCH_BYTES
