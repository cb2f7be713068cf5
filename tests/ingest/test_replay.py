"""The replay of the spool where each acknowledgement comes when the test says so."""

from __future__ import annotations

import asyncio
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

LARGE, ONE, TWO = (Record("beacons", b"key", value) for value in (b"large", b"one", b"two"))


class AtOnce:
    """A sender whose Kafka takes everything at once."""

    def __init__(self) -> None:
        self.sent: list[Record] = []
        self.flying: dict[PendingRecord, None] = {}

    def send(self, item: PendingRecord) -> bool:
        self.sent.append(item.record)
        item.tell()
        return True

    def knows(self, _topic: str, *, within: timedelta) -> bool:
        return within > timedelta(0)

    def recall(self) -> None: ...

    poll = renew = recall


def test_of_a_batch_with_a_refused_record_only_what_has_not_landed_is_sent(tmp_path: Path) -> None:
    sender: Any = AtOnce()

    async def story() -> None:
        backlog = Backlog(Spool(tmp_path, cap=1_000_000), clock=lambda: 1.0)
        backlog.start()
        replay = Replay(
            sender,
            backlog,
            Probe(sender, "beacons", limit=timedelta(seconds=1)),
            rejected="rejected",
            tick=lambda: None,
            opened=lambda _reason: None,
            closed=lambda: None,
            check=lambda: None,
        )
        (batch,) = backlog.add_flying([PendingRecord(record) for record in (ONE, LARGE, TWO)])
        replay.start()
        replay.opened([batch])
        # The refusal comes between the acknowledgements of its neighbours.
        replay.landed(batch, 0, None)
        replay.landed(batch, 1, DeliveryFailure("too large", is_permanent=True))
        replay.landed(batch, 2, None)
        async with asyncio.timeout(30):
            while not sender.sent or backlog.spool.depth:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.01)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert sender.sent == [LARGE]
