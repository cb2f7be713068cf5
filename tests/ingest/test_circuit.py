"""The circuit opens and closes: no record overtakes another, and none is left behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from ingest.spooling import (
    ONE,
    ROOM,
    THREE,
    TWO,
    GatedSpool,
    ManualProducer,
    WatchedCircuit,
    backlog_of,
    left_in,
    until,
)

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import DeliveryFailure
from pipeline.delivery.publisher import Record
from pipeline.delivery.spool import Spool


def test_records_in_flight_when_the_circuit_opens_are_spooled_before_later_ones(
    tmp_path: Path,
) -> None:
    settings = Settings(
        _env_file=None, home=tmp_path, ack_timeout=timedelta(milliseconds=20), topic_prefix="t-"
    )
    outcomes: list[object | None] = []
    published: list[bytes] = []

    async def scenario() -> None:
        publisher = KafkaPublisher(
            settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
        )
        publisher.start()
        # Kafka answered once, and is gone: records stay in flight until the circuit opens.
        publisher.circuit.close()
        async with asyncio.timeout(30):
            while not publisher.circuit.is_open:
                # In each turn of the loop: whenever it opens, something is gathered for Kafka.
                published.append(b"%d" % len(published))
                publisher.publish([Record("t-beacons", b"device", published[-1])], outcomes.append)
                await asyncio.sleep(0)
        await until(lambda: len(outcomes) == len(published))
        publisher.close()

    asyncio.run(scenario())
    assert set(outcomes) == {None}
    assert len(published) > 1
    assert [record.value for record in left_in(settings.home / "spool")] == published


def test_the_circuit_stays_open_while_a_record_waits_for_the_disk(tmp_path: Path) -> None:
    spool, producer = GatedSpool(tmp_path), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        spool.write_gate.clear()
        backlog.add(PendingRecord(ONE))
        await until(lambda: spool.writes)
        circuit.start()
        # Nothing is in the spool and Kafka is quick; the step that sees it decides at once.
        await until(lambda: circuit.probe.is_quick)
        assert circuit.closings == []
        spool.write_gate.set()
        await until(lambda: circuit.closings)
        assert producer.sent == [ONE]
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())


def test_a_failed_record_and_all_behind_it_are_sent_again_in_order(tmp_path: Path) -> None:
    spool, producer = Spool(tmp_path, cap=ROOM), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        circuit.start()
        for record in (ONE, TWO, THREE):
            backlog.add(PendingRecord(record))
            await until(lambda record=record: record in producer.sent)
        producer.end_all(DeliveryFailure("away"))
        await until(lambda: len(producer.sent) == 6)
        producer.end_all()
        await until(lambda: spool.depth == 0)
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())
    assert producer.sent == [ONE, TWO, THREE] * 2
    assert producer.purged


def test_a_record_of_the_spool_that_fails_opens_the_circuit_again(tmp_path: Path) -> None:
    spool, producer = GatedSpool(tmp_path), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        # Its record has no answer while it closes, however long this machine stalls.
        circuit = WatchedCircuit(producer, backlog, quick=60)
        spool.write_gate.clear()
        backlog.add(PendingRecord(ONE))
        circuit.start()
        # It asks nothing of a Kafka that has yet to answer for a record.
        await until(lambda: circuit.probe.is_quick)
        spool.write_gate.set()
        await until(lambda: not circuit.is_open)
        assert producer.sent == [ONE]
        producer.end_all(DeliveryFailure("away"))
        # A later record would overtake it. Once it was sent again the circuit closes again.
        await until(lambda: circuit.openings)
        assert circuit.openings == ["a record of the spool failed"]
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())


def test_the_circuit_stays_open_until_all_of_the_spool_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.delivery.replay.WINDOW_RECORDS", 1)
    spool, producer = Spool(tmp_path, cap=ROOM), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        circuit.probe.acknowledged(0.0)
        for count, record in enumerate((ONE, TWO), start=1):
            backlog.add(PendingRecord(record))
            await until(lambda count=count: spool.depth == count)
        circuit.start()
        # The window is full: the step that sends the record decides without a pause.
        await until(lambda: producer.sent == [ONE])
        producer.end_all()
        await until(lambda: producer.sent == [ONE, TWO])
        producer.end_all()
        await until(lambda: circuit.closings)
        assert circuit.closings == [[ONE, TWO]]
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())


def test_the_circuit_stays_open_while_kafka_does_not_answer(tmp_path: Path) -> None:
    producer = ManualProducer()
    producer.is_reachable = False

    async def scenario() -> None:
        backlog = backlog_of(Spool(tmp_path, cap=ROOM))
        circuit = WatchedCircuit(producer, backlog)
        circuit.start()
        # When it asks again, it has decided on the answer before.
        await until(lambda: producer.asked == 2)
        assert circuit.closings == []
        producer.is_reachable = True
        await until(lambda: circuit.closings)
        assert producer.asked > 2
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())


def test_a_failed_record_is_sent_again_once_nothing_is_in_flight(tmp_path: Path) -> None:
    spool, producer = Spool(tmp_path, cap=ROOM), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        circuit.start()
        for record in (ONE, TWO):
            backlog.add(PendingRecord(record))
            await until(lambda record=record: record in producer.sent)
        producer.end(next(iter(producer.in_flight)), DeliveryFailure("away"))
        # It purges at each step while a record is in flight.
        await until(lambda: producer.purged == 3)
        assert producer.sent == [ONE, TWO]
        producer.end_all()
        await until(lambda: len(producer.sent) == 3)
        producer.end_all()
        await until(lambda: spool.depth == 0)
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())
    assert producer.sent == [ONE, TWO, ONE]


def test_records_in_flight_when_the_circuit_opens_are_not_sent_from_the_spool(
    tmp_path: Path,
) -> None:
    spool, producer = Spool(tmp_path, cap=ROOM), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        circuit.replay.track(backlog.add_in_flight([PendingRecord(ONE)]))
        backlog.add(PendingRecord(TWO))
        await until(lambda: spool.depth == 2)
        circuit.start()
        await until(lambda: producer.in_flight)
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())
    assert producer.sent == [TWO]
