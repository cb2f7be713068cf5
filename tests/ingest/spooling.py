"""A spool whose disk, and a producer whose acknowledgements, wait for the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.circuit import Circuit
from pipeline.delivery.health import Diagnosis, Probe
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import DeliveryFailure, OnDelivery
from pipeline.delivery.publisher import Record
from pipeline.delivery.replay import Replay
from pipeline.delivery.spool import Spool

ROOM = 1_000_000
ONE, TWO, THREE = (Record("beacons", b"key", value) for value in (b"one", b"two", b"three"))


class GatedSpool(Spool):
    """Waits at `write_gate` before each commit, at `read_gate` after each read of the file."""

    def __init__(self, folder: Path, *, cap: int = ROOM) -> None:
        super().__init__(folder, cap=cap)
        self.write_gate, self.read_gate = threading.Event(), threading.Event()
        self.write_gate.set()
        self.read_gate.set()
        self.writes: list[tuple[list[Record], list[int]]] = []
        """The records that each commit adds, and the batches that it deletes."""
        self.reads = 0

    def write(
        self, records: Sequence[Record], *, seq: int, spooled_at: int, delete: Sequence[int]
    ) -> None:
        self.writes.append((list(records), list(delete)))
        assert self.write_gate.wait(30)
        super().write(records, seq=seq, spooled_at=spooled_at, delete=delete)

    def read(self, *, after: int) -> tuple[int, list[Record]] | None:
        found = super().read(after=after)
        self.reads += 1
        assert self.read_gate.wait(30)
        return found


class ManualProducer:
    """A `RecordProducer` whose records stay in flight until the test ends their delivery."""

    def __init__(self) -> None:
        self.sent: list[Record] = []
        self.in_flight: dict[PendingRecord, OnDelivery] = {}
        self.poll_seconds = 0.0
        self.purged = 0
        self.asked = 0
        self.is_reachable = True
        """Whether Kafka answers the probe."""

    def send(self, item: PendingRecord, on_delivery: OnDelivery) -> bool:
        self.sent.append(item.record)
        item.sent_at = time.monotonic()
        self.in_flight[item] = on_delivery
        return True

    def end(self, item: PendingRecord, failure: DeliveryFailure | None = None) -> None:
        """`item` is on Kafka, or has failed."""
        self.in_flight[item](item, failure)
        del self.in_flight[item]

    def end_all(self, failure: DeliveryFailure | None = None) -> None:
        for item in list(self.in_flight):
            self.end(item, failure)

    def can_reach(self, _topic: str, *, within: timedelta) -> bool:
        self.asked += 1
        return self.is_reachable and within > timedelta(0)

    def purge(self) -> None:
        self.purged += 1

    def poll(self) -> None: ...

    start = replace_if_fatal = poll


class WatchedCircuit(Circuit):
    """Notes why it opened, and what had been sent each time it closed."""

    def __init__(self, producer: Any, backlog: Backlog, *, quick: float = 1) -> None:
        self.probe = Probe(producer, "beacons", limit=timedelta(seconds=quick))
        self.replay = Replay(producer, backlog, self.probe, rejected="rejected")
        self.openings: list[str] = []
        self.closings: list[list[Record]] = []
        self._sent = producer.sent
        super().__init__(
            producer,
            backlog,
            self.probe,
            self.replay,
            Diagnosis(lambda: None),
            limit=timedelta(seconds=60),
        )

    def open(self, reason: str) -> None:
        if not self.is_open:
            self.openings.append(reason)
        super().open(reason)

    def close(self) -> None:
        self.closings.append([*self._sent])
        super().close()


def read_all(spool: Spool) -> list[Record]:
    """The records of its batches, in their order."""
    found: list[Record] = []
    after = 0
    while (batch := spool.read(after=after)) is not None:
        after = batch[0]
        found += batch[1]
    return found


def left_in(folder: Path, *, instance: int = 0) -> list[Record]:
    """What a dead process has left in its spool."""
    spool = Spool(folder, cap=ROOM)
    spool.open(instance=instance)
    found = read_all(spool)
    spool.close()
    return found


def backlog_of(spool: Spool) -> Backlog:
    """Started in the running event loop."""
    backlog = Backlog(spool, clock=lambda: 1.0)
    backlog.start()
    return backlog


async def until(claim: Callable[[], object]) -> None:
    """Return once `claim` is true; fail after half a minute."""
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.01)
