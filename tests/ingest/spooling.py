"""A spool whose disk, and a Kafka whose answers, come when a test says so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.delivery.backlog import Backlog
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.probe import Probe
from pipeline.delivery.producer import DeliveryFailure
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
        """What each commit was begun with: its records, and the batches that go."""
        self.reads = 0

    def write(
        self, records: Sequence[Record], *, seq: int, spooled_at: int, gone: Sequence[int]
    ) -> None:
        self.writes.append((list(records), list(gone)))
        assert self.write_gate.wait(30)
        super().write(records, seq=seq, spooled_at=spooled_at, gone=gone)

    def read(self, *, after: int) -> tuple[int, list[Record]] | None:
        found = super().read(after=after)
        self.reads += 1
        assert self.read_gate.wait(30)
        return found


class ByHand:
    """A `Sender` that keeps what flies until the test lets it land, or fail."""

    def __init__(self) -> None:
        self.sent: list[Record] = []
        self.flying: dict[PendingRecord, None] = {}
        self.recalled = 0
        self.asked = 0
        self.is_known = True
        """Whether Kafka answers the question of the probe."""

    def send(self, item: PendingRecord) -> bool:
        self.sent.append(item.record)
        item.since = time.monotonic()
        self.flying[item] = None
        return True

    def end(self, replay: Replay, failure: DeliveryFailure | None = None) -> None:
        """Of all that flies: it is on Kafka, or has failed."""
        for item in list(self.flying):
            assert item.batch is not None
            replay.landed(item.batch, item.place, failure)
            del self.flying[item]

    def knows(self, _topic: str, *, within: timedelta) -> bool:
        self.asked += 1
        return self.is_known and within > timedelta(0)

    def recall(self) -> None:
        self.recalled += 1

    def poll(self) -> None: ...

    renew = poll


def read_all(spool: Spool) -> list[Record]:
    """The records of its batches, in their order."""
    found: list[Record] = []
    after = 0
    while (batch := spool.read(after=after)) is not None:
        after = batch[0]
        found += batch[1]
    return found


def left_in(folder: Path, *, slot: int = 0) -> list[Record]:
    """What a process that is gone has left in its slot."""
    spool = Spool(folder, cap=ROOM)
    spool.open(slot=slot)
    found = read_all(spool)
    spool.close()
    return found


def backlog_of(spool: Spool) -> Backlog:
    """Begun, in the running event loop."""
    backlog = Backlog(spool, clock=lambda: 1.0)
    backlog.start()
    return backlog


def replay_of(sender: Any, backlog: Backlog, **more: Any) -> tuple[Replay, Probe]:
    """A replay that is not begun, and what asks `sender` whether Kafka is quick."""
    probe = Probe(sender, "beacons", limit=timedelta(seconds=1))
    given = {
        "rejected": "rejected",
        "tick": lambda: None,
        "opened": lambda _reason: None,
        "closed": lambda: None,
        "check": lambda: None,
    }
    return Replay(sender, backlog, probe, **{**given, **more}), probe


async def until(claim: Callable[[], object]) -> None:
    """Return once `claim` is true; fail after half a minute."""
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
