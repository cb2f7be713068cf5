"""Records that are not durable yet, the requests that wait for them, and their spooled batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pipeline.delivery.publisher import OnDurable, Record


class PendingRequest:
    """Counts down the records of a request, and calls `on_durable` after the last one."""

    __slots__ = ("_error", "_left", "_on_durable")

    def __init__(self, left: int, on_durable: OnDurable) -> None:
        self._left = left
        self._on_durable = on_durable
        self._error: object | None = None

    def finish_one(self, error: object | None = None) -> None:
        """One record is durable, or failed with `error`. The first error is reported."""
        self._left -= 1
        self._error = self._error or error
        if self._left == 0:
            self._on_durable(self._error)


def awaitable_request(left: int) -> tuple[PendingRequest, asyncio.Future[object | None]]:
    """A request for a task: the future's result is the error, or None once all is durable."""
    done: asyncio.Future[object | None] = asyncio.get_running_loop().create_future()

    def on_durable(error: object | None) -> None:
        if not done.done():  # a cancelled task cancels its future
            done.set_result(error)

    return PendingRequest(left, on_durable), done


@dataclass(slots=True, eq=False)
class PendingRecord:
    """A record to be made durable.

    `request` is set until it has been notified, `batch` once the record is spooled; `place` is the
    record's index in the batch, `sent_at` (`time.monotonic`) when it was last handed to Kafka.
    """

    record: Record
    request: PendingRequest | None = None
    batch: SpooledBatch | None = None
    place: int = 0
    sent_at: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.record.key) + len(self.record.value)

    def finish(self, error: object | None = None) -> None:
        """Notify the request, once."""
        request, self.request = self.request, None
        if request is not None:
            request.finish_one(error)


@dataclass(slots=True, eq=False)
class SpooledBatch:
    """Records that are one row of the spool, in order.

    `in_flight` counts those on their way to Kafka, `delivered` holds the places of those that Kafka
    has acknowledged. `was_in_flight`: the records were handed to Kafka before they were spooled.
    A failed batch is read from the spool and sent again.
    """

    seq: int
    items: list[PendingRecord]
    size: int = 0
    in_flight: int = 0
    was_in_flight: bool = False
    is_failed: bool = False
    delivered: set[int] = field(default_factory=set)

    def add(self, item: PendingRecord) -> None:
        """Append `item`."""
        item.place = len(self.items)
        self.items.append(item)
        self.size += item.size
