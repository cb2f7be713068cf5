"""Poison isolation: the records of a refused batch are sent one by one to find the refused ones."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Iterator

import msgspec

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import DeliveryFailure, RecordProducer
from pipeline.delivery.publisher import Record
from pipeline.domain.events import Beacon
from pipeline.topics import Rejected

REASON = "refused_by_kafka"

log = logging.getLogger(__name__)


class PoisonIsolation:
    """Sends records one at a time; what no retry can deliver goes to the topic `rejected`."""

    def __init__(self, producer: RecordProducer, backlog: Backlog, *, rejected: str) -> None:
        self._producer = producer
        self._backlog = backlog
        self._rejected = rejected

    async def deliver(self, records: Iterable[Record]) -> DeliveryFailure | None:
        """Deliver all `records` in order; returns the failure that stopped it, if any.

        Raises `SpoolError` if the spool has no room for records that Kafka refuses in every form.
        """
        # First, because each attempt sends all of them again.
        await self._backlog.run(self._backlog.spool.check_refused)
        for record in records:
            failure = await self._send(record)
            if failure is not None and failure.is_permanent:
                failure = await self._reject(record, failure.reason)
            if failure is not None:
                return failure
        return None

    async def _reject(self, record: Record, reason: str) -> DeliveryFailure | None:
        log.error("Kafka refuses a record; its events go to %s: %s", self._rejected, reason)
        for refused in refusals(record, reason, topic=self._rejected):
            failure = await self._send(refused)
            if failure is not None and failure.is_permanent:
                await self._backlog.run(self._backlog.spool.refuse, refused, failure.reason)
            elif failure is not None:
                return failure
        return None

    async def _send(self, record: Record) -> DeliveryFailure | None:
        ended: asyncio.Future[DeliveryFailure | None] = asyncio.get_running_loop().create_future()

        def on_delivery(_item: PendingRecord, failure: DeliveryFailure | None) -> None:
            if not ended.done():  # cancelled when ingest stops
                ended.set_result(failure)

        if not self._producer.send(PendingRecord(record), on_delivery):
            return DeliveryFailure("the producer's queue is full")
        return await ended


def refusals(record: Record, reason: str, *, topic: str) -> Iterator[Record]:
    """One record of `rejected` per event of a beacon; any other record as it is.

    `reason` is Kafka's and may differ between attempts. The request id is a hash of the record, so
    that a record refused twice counts once; an event's index is its place in the beacon.
    """
    try:
        beacon = msgspec.json.decode(record.value, type=Beacon)
    except (msgspec.DecodeError, UnicodeDecodeError):
        yield record
        return
    digest = hashlib.sha256(record.key + record.value).hexdigest()
    for index, raw in enumerate(beacon.sent()):
        rejected = Rejected(
            request_id=digest[:32],
            store_id=beacon.store_id,
            received_at=beacon.received_at,
            index=index,
            reason=REASON,
            detail=reason,
            raw=bytes(raw).decode(errors="replace"),
        )
        yield Record(topic, beacon.store_id.encode(), msgspec.json.encode(rejected))
