"""What is on its way to be durable: a record, the request that waits for it, its spooled batch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pipeline.delivery.publisher import OnDurable, Record


class PendingRequest:
    """Counts down the records that a request waits for, and tells of the end of the last one."""

    __slots__ = ("_left", "_told", "_trouble")

    def __init__(self, left: int, told: OnDurable) -> None:
        self._left = left
        self._told = told
        self._trouble: object | None = None

    def tell(self, trouble: object | None = None) -> None:
        """One record is durable, or will not be: the first trouble is the one that counts."""
        self._left -= 1
        self._trouble = self._trouble or trouble
        if self._left == 0:
            self._told(self._trouble)


def awaited(left: int) -> tuple[PendingRequest, asyncio.Future[object | None]]:
    """The same for a task: the trouble is the future's result, unless the task was cancelled."""
    future: asyncio.Future[object | None] = asyncio.get_running_loop().create_future()

    def told(trouble: object | None) -> None:
        if not future.done():
            future.set_result(trouble)

    return PendingRequest(left, told), future


@dataclass(slots=True, eq=False)
class PendingRecord:
    """A record to be made durable.

    `waiting` is there until someone was told; `batch` once it has its place in the spool, and
    `place` is that in the batch; `since`, of `time.monotonic`, is its last start for Kafka.
    """

    record: Record
    waiting: PendingRequest | None = None
    batch: SpooledBatch | None = None
    place: int = 0
    since: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its key and value."""
        return len(self.record.key) + len(self.record.value)

    def tell(self, trouble: object | None = None) -> None:
        """Tell who waits for it, once."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.tell(trouble)


@dataclass(slots=True, eq=False)
class SpooledBatch:
    """Records that are one row of the spool, in their order.

    `left` are those flying to Kafka; a failed batch is read again from the spool. `is_flying`: its
    records had been handed to Kafka before it was spooled. `landed` are the places of those that
    Kafka has acknowledged.
    """

    seq: int
    items: list[PendingRecord]
    size: int = 0
    left: int = 0
    is_flying: bool = False
    is_failed: bool = False
    landed: set[int] = field(default_factory=set)

    def add(self, item: PendingRecord) -> None:
        """Put `item` behind the others."""
        item.place = len(self.items)
        self.items.append(item)
        self.size += item.size
