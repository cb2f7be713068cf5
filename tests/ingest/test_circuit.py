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
    ByHand,
    GatedSpool,
    backlog_of,
    left_in,
    replay_of,
    until,
)

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.producer import DeliveryFailure
from pipeline.delivery.publisher import Record
from pipeline.delivery.spool import Spool


def test_what_flies_when_the_circuit_opens_is_spooled_before_what_came_later(
    tmp_path: Path,
) -> None:
    settings = Settings(
        _env_file=None, home=tmp_path, ack_timeout=timedelta(milliseconds=20), topic_prefix="t-"
    )
    told: list[object | None] = []
    published: list[bytes] = []

    async def story() -> None:
        publisher = KafkaPublisher(
            settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
        )
        publisher.start()
        # Kafka answered once, and is gone: what comes flies, until the limit opens the circuit.
        publisher.is_circuit_open = False
        async with asyncio.timeout(30):
            while not publisher.is_circuit_open:
                # In each turn of the loop: whenever it opens, something is gathered for Kafka.
                published.append(b"%d" % len(published))
                publisher.publish([Record("t-beacons", b"device", published[-1])], told.append)
                await asyncio.sleep(0)
        await until(lambda: len(told) == len(published))
        publisher.close()

    asyncio.run(story())
    assert set(told) == {None}
    assert len(published) > 1
    assert [record.value for record in left_in(settings.home / "spool")] == published


def test_the_circuit_stays_open_while_a_record_waits_for_the_disk(tmp_path: Path) -> None:
    spool, sender = GatedSpool(tmp_path), ByHand()
    closings: list[bool] = []

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, probe = replay_of(sender, backlog, closed=lambda: closings.append(True))
        spool.write_gate.clear()
        backlog.add(PendingRecord(ONE))
        await until(lambda: spool.writes)
        replay.start()
        # Nothing is in the spool and Kafka is quick; the step that sees it decides at once.
        await until(lambda: probe.is_quick)
        assert closings == []
        spool.write_gate.set()
        await until(lambda: closings)
        assert sender.sent == [ONE]
        replay.stop()
        backlog.close()

    asyncio.run(story())


def test_all_behind_a_record_that_failed_is_sent_again_in_order(tmp_path: Path) -> None:
    spool, sender = Spool(tmp_path, cap=ROOM), ByHand()

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, _ = replay_of(sender, backlog)
        replay.start()
        for record in (ONE, TWO, THREE):
            backlog.add(PendingRecord(record))
            await until(lambda record=record: record in sender.sent)
        sender.end(replay, DeliveryFailure("away"))
        await until(lambda: len(sender.sent) == 6)
        sender.end(replay)
        await until(lambda: spool.depth == 0)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert sender.sent == [ONE, TWO, THREE] * 2
    assert sender.recalled


def test_the_circuit_stays_open_until_all_of_the_spool_was_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.delivery.replay.WINDOW_RECORDS", 1)
    spool, sender = Spool(tmp_path, cap=ROOM), ByHand()
    closings: list[list[Record]] = []

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, probe = replay_of(sender, backlog, closed=lambda: closings.append([*sender.sent]))
        probe.saw(0.0)
        for count, record in enumerate((ONE, TWO), start=1):
            backlog.add(PendingRecord(record))
            await until(lambda count=count: spool.depth == count)
        replay.start()
        # The window is full: the step that sends it goes on to decide without a pause.
        await until(lambda: sender.sent == [ONE])
        sender.end(replay)
        await until(lambda: sender.sent == [ONE, TWO])
        sender.end(replay)
        await until(lambda: closings)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert closings == [[ONE, TWO]]


def test_the_circuit_stays_open_while_kafka_does_not_answer(tmp_path: Path) -> None:
    sender = ByHand()
    sender.is_known = False
    closings: list[int] = []

    async def story() -> None:
        backlog = backlog_of(Spool(tmp_path, cap=ROOM))
        replay, _ = replay_of(sender, backlog, closed=lambda: closings.append(sender.asked))
        replay.start()
        # When it asks again, it has decided upon the answer before.
        await until(lambda: sender.asked == 2)
        sender.is_known = True
        await until(lambda: closings)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert closings[0] > 2


def test_what_failed_is_sent_again_once_nothing_flies(tmp_path: Path) -> None:
    spool, sender = Spool(tmp_path, cap=ROOM), ByHand()

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, _ = replay_of(sender, backlog)
        replay.start()
        for record in (ONE, TWO):
            backlog.add(PendingRecord(record))
            await until(lambda record=record: record in sender.sent)
        first = next(iter(sender.flying))
        assert first.batch is not None
        replay.landed(first.batch, first.place, DeliveryFailure("away"))
        del sender.flying[first]
        # Each look at what still flies calls it back.
        await until(lambda: sender.recalled == 3)
        assert sender.sent == [ONE, TWO]
        sender.end(replay)
        await until(lambda: len(sender.sent) == 3)
        sender.end(replay)
        await until(lambda: spool.depth == 0)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert sender.sent == [ONE, TWO, ONE]


def test_what_flies_when_the_circuit_opens_is_not_sent_from_the_spool(tmp_path: Path) -> None:
    spool, sender = Spool(tmp_path, cap=ROOM), ByHand()

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, _ = replay_of(sender, backlog)
        flying = backlog.add_flying([PendingRecord(ONE)])
        replay.opened(flying)
        backlog.add(PendingRecord(TWO))
        await until(lambda: spool.depth == 2)
        replay.start()
        await until(lambda: sender.flying)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert sender.sent == [TWO]
