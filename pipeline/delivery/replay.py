"""From the spool to Kafka, in order; records that no retry can deliver go to `rejected`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.health import Probe
from pipeline.delivery.pending import PendingRecord, SpooledBatch
from pipeline.delivery.poison import PoisonIsolation
from pipeline.delivery.producer import DeliveryFailure, RecordProducer
from pipeline.delivery.publisher import Record

# What may be in flight from the spool: enough for a broker that takes five seconds to answer.
WINDOW_RECORDS = 20_000
WINDOW_BYTES = 64 * 1024 * 1024
RETRY_SECONDS = 0.5
ISOLATION_RETRY_SECONDS = 1.0


class Replay:
    """Sends the spool's batches, keeps track of those in flight, and deletes what has arrived."""

    def __init__(
        self, producer: RecordProducer, backlog: Backlog, probe: Probe, *, rejected: str
    ) -> None:
        self._producer = producer
        self._backlog = backlog
        self._probe = probe
        self._isolation = PoisonIsolation(producer, backlog, rejected=rejected)
        # Batches with records in flight, by sequence number, and their bytes.
        self._in_flight: dict[int, SpooledBatch] = {}
        self._bytes = 0
        # Batches with a record that Kafka refused, and the places that were delivered.
        self._poisoned: dict[int, set[int]] = {}
        self._cursor = 0
        self.must_rewind = False
        """Whether a record failed: it and all behind it have to be sent again."""

    @property
    def remaining(self) -> int:
        """An upper bound of the batches that have not been sent yet."""
        return self._backlog.written - self._cursor

    @property
    def is_clean(self) -> bool:
        """Whether nothing has to be sent again."""
        return not self.must_rewind and not self._poisoned

    def has_next(self) -> bool:
        """Whether a batch is left, and the window has room for it."""
        has_room = len(self._producer.in_flight) < WINDOW_RECORDS and self._bytes < WINDOW_BYTES
        return self.remaining > 0 and has_room

    def track(self, batches: Iterable[SpooledBatch]) -> None:
        """`batches` are in flight."""
        for batch in batches:
            self._in_flight[batch.seq] = batch
            self._bytes += batch.size

    def delivered(self, item: PendingRecord, failure: DeliveryFailure | None) -> None:
        """A record with a batch is on Kafka, or has failed."""
        batch = item.batch
        if batch is None:
            raise ValueError("the record has no batch")
        if failure is None:
            self._probe.acknowledged(time.monotonic() - item.sent_at)
            item.finish()
            batch.delivered.add(item.place)
        else:
            batch.is_failed = self.must_rewind = True
            if failure.is_permanent:
                # The set itself: it grows until the last record of the batch has ended.
                self._poisoned[batch.seq] = batch.delivered
        batch.in_flight -= 1
        if batch.in_flight == 0:
            del self._in_flight[batch.seq]
            self._bytes -= batch.size
            if not batch.is_failed:
                self._backlog.delete(batch.seq)
            self._backlog.changed.set()

    async def send_next(self) -> None:
        """Send the next batch. Raises `SpoolError`."""
        found = await self._backlog.run(self._backlog.spool.read, after=self._cursor)
        if found is None:
            self._cursor = self._backlog.written
            return
        seq, records = found
        if seq in self._poisoned:
            await self._isolate(seq, records)
            return
        self._cursor = seq
        if seq in self._in_flight or self._backlog.is_deleted(seq):
            return
        batch = SpooledBatch(seq, [], in_flight=len(records))
        items = [
            PendingRecord(record, batch=batch, place=place) for place, record in enumerate(records)
        ]
        batch.size = sum(item.size for item in items)
        self.track([batch])
        for item in items:
            while not self._producer.send(item, self.delivered):  # noqa: ASYNC110  # librdkafka has no event
                await asyncio.sleep(RETRY_SECONDS)

    async def _isolate(self, seq: int, records: list[Record]) -> None:
        delivered = self._poisoned[seq]
        left = [record for place, record in enumerate(records) if place not in delivered]
        if self._producer.in_flight:
            await asyncio.sleep(RETRY_SECONDS)
        elif await self._isolation.deliver(left) is not None:
            await asyncio.sleep(ISOLATION_RETRY_SECONDS)
        else:
            del self._poisoned[seq]
            self._cursor = seq
            self._backlog.delete(seq)

    async def rewind(self) -> None:
        """Purge what is behind a failed record; once nothing is in flight, begin again."""
        self._producer.purge()
        self._producer.poll()
        if self._in_flight:
            return
        await asyncio.sleep(RETRY_SECONDS)
        self._producer.replace_if_fatal()
        self.must_rewind = False
        self._cursor = 0
