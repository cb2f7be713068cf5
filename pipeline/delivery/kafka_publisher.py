"""The publisher of `pipeline ingest`: sets up the circuit between Kafka and the spool."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from pipeline.config import Settings
from pipeline.delivery.backlog import Backlog
from pipeline.delivery.circuit import Circuit
from pipeline.delivery.clock import ClockWatch
from pipeline.delivery.health import Diagnosis, Probe
from pipeline.delivery.instance_lock import SpoolError
from pipeline.delivery.pending import PendingRecord, PendingRequest
from pipeline.delivery.producer import RecordProducer
from pipeline.delivery.publisher import OnDurable, Record, SpoolState
from pipeline.delivery.replay import Replay
from pipeline.delivery.spool import Spool
from pipeline.topics import topics

MAX_FLUSH = timedelta(seconds=5)


class KafkaPublisher:
    """See `Publisher`.

    `check` raises `KafkaUnusableError` while Kafka must not be used; until it has passed once,
    everything stays in the spool.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        names = topics(settings)
        self._limit = settings.ack_timeout
        self._backlog = Backlog(
            Spool(settings.home / "spool", cap=settings.spool_bytes), clock=clock
        )
        self.clock = ClockWatch(clock)
        """See `Publisher`."""
        self._producer = RecordProducer(settings, self.clock)
        self._diagnosis = Diagnosis(check)
        probe = Probe(self._producer, names.beacons.name, limit=self._limit)
        replay = Replay(self._producer, self._backlog, probe, rejected=names.rejected.name)
        self.circuit = Circuit(
            self._producer, self._backlog, probe, replay, self._diagnosis, limit=self._limit
        )

    def start(self) -> None:
        """See `Publisher`."""
        self.circuit.start()

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        """See `Publisher`."""
        request = PendingRequest(len(records), on_durable)
        for record in records:
            self.circuit.take(PendingRecord(record, request))

    def spool(self) -> SpoolState:
        """See `Publisher`."""
        spool = self._backlog.spool
        return SpoolState(
            spool.depth,
            spool.size,
            spool.age(now=self._backlog.now()),
            self.circuit.is_open,
            self._diagnosis.problem,
        )

    async def is_ready(self) -> bool:
        """Whether Kafka acknowledges or the spool has room."""
        if not self.circuit.is_open:
            return True
        try:
            await self._backlog.run(self._backlog.spool.check)
        except SpoolError:
            return False
        return True

    def close(self) -> None:
        """See `Publisher`."""
        self.circuit.stop()
        # While the circuit is open nothing waits for Kafka: all of it is in the spool.
        within = timedelta(0) if self.circuit.is_open else min(self._limit, MAX_FLUSH)
        self._producer.flush(within=within)
        self._backlog.close()
