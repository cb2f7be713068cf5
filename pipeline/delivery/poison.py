"""Records that Kafka refused in company, sent one by one to tell which of them it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.pending import PendingRecord, awaited
from pipeline.delivery.producer import DeliveryFailure, RecordProducer
from pipeline.delivery.publisher import Record
from pipeline.delivery.refused import refusals

log = logging.getLogger(__name__)


class PoisonIsolation:
    """Sends each record alone and waits for its result; `tick` keeps the producer polled."""

    def __init__(
        self, sender: RecordProducer, backlog: Backlog, *, rejected: str, tick: Callable[[], None]
    ) -> None:
        self._sender = sender
        self._backlog = backlog
        self._rejected = rejected
        self._tick = tick

    async def deliver(self, records: Iterable[Record]) -> DeliveryFailure | None:
        """All of them, in order; what no retry mends goes to `rejected`. Else why it stopped."""
        # First, for each attempt sends all of them again.
        await self._backlog.run(self._backlog.spool.check_refused)
        for record in records:
            failure = await self._sent(record)
            if failure is not None and failure.is_permanent:
                failure = await self._refuse(record, failure.reason)
            if failure is not None:
                return failure
        return None

    async def _refuse(self, record: Record, reason: str) -> DeliveryFailure | None:
        log.error("Kafka takes no such record, its events go to %s: %s", self._rejected, reason)
        for refused in refusals(record, reason, topic=self._rejected):
            failure = await self._sent(refused)
            if failure is not None and failure.is_permanent:
                await self._backlog.run(self._backlog.spool.refuse, refused, failure.reason)
            elif failure is not None:
                return failure
        return None

    async def _sent(self, record: Record) -> DeliveryFailure | None:
        waiting, done = awaited(1)
        if not self._sender.send(PendingRecord(record, waiting)):
            return DeliveryFailure("too much is waiting for Kafka")
        self._tick()
        trouble = await done
        return trouble if isinstance(trouble, DeliveryFailure) else None
