"""Poison isolation, with acknowledgements that come when the test says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ingest.spooling import ONE, ROOM, TWO, ManualProducer, WatchedCircuit, backlog_of, until

from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import DeliveryFailure, OnDelivery
from pipeline.delivery.publisher import Record
from pipeline.delivery.spool import Spool

LARGE = Record("beacons", b"key", b"large")


class PromptProducer(ManualProducer):
    """Delivers every record at once."""

    def send(self, item: PendingRecord, on_delivery: OnDelivery) -> bool:
        super().send(item, on_delivery)
        self.end(item)
        return True


def test_of_a_batch_with_a_refused_record_only_what_was_not_delivered_is_sent_again(
    tmp_path: Path,
) -> None:
    producer = PromptProducer()

    async def scenario() -> None:
        backlog = backlog_of(Spool(tmp_path, cap=ROOM))
        circuit = WatchedCircuit(producer, backlog)
        items = [PendingRecord(record) for record in (ONE, LARGE, TWO)]
        circuit.replay.track(backlog.add_in_flight(items))
        circuit.start()
        # The refusal comes between the acknowledgements of its neighbours.
        circuit.replay.delivered(items[0], None)
        circuit.replay.delivered(items[1], DeliveryFailure("too large", is_permanent=True))
        circuit.replay.delivered(items[2], None)
        await until(lambda: producer.sent and not backlog.spool.depth)
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())
    assert producer.sent == [LARGE]
