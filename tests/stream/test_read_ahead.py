"""A new store reads its changelog with librdkafka, and the same as one record after the other."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from faust.types import TP
from no_room import SAID, no_room

from pipeline.config import Settings
from pipeline.domain.rules import Rules
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.stream import read_ahead, table
from pipeline.stream.app import create_app
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.devices import Devices
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.read_ahead import ReadAhead
from pipeline.stream.rows import ERASED, Pair
from pipeline.stream.table import DeviceTable
from pipeline.topics import topics

RECORDS = 600
WRITER = b"w" * 16


@pytest.fixture
def changelog(settings: Settings) -> list[Pair]:
    """Two partitions, 0 and 1, with the same records: repeats, tombstones, erasures."""
    create_topics(settings)
    pairs: list[Pair] = []
    for number in range(RECORDS):
        key = WRITER + b"%d" % (number * 7 % 150)
        pairs.append((key, None if number % 11 == 0 else os.urandom(number % 90)))
        if number % 100 == 0:
            pairs.append((ERASED, b"%d" % number))
    append(settings, pairs)
    return pairs


def append(settings: Settings, pairs: list[Pair]) -> None:
    # Idempotent, or what it repeats comes in another order.
    servers = settings.kafka_bootstrap_servers
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    for key, value in pairs:
        for partition in (0, 1):
            producer.produce(topics(settings).changelog.name, value, key, partition)
    assert producer.flush(30) == 0


def new(folder: Path, number: int = 0, end: int = 0, memory: int = 1 << 16) -> Devices:
    store = LocalFolder(folder, "", Rules(), {number: end}).open(number)
    return Devices(store, WRITER, lambda: memory, write_bytes=1 << 12)


def states(devices: Devices) -> dict[bytes, dict[bytes, bytes]]:
    devices.finish_recovery()
    found = {b"%d" % number: devices.store.read(b"%d" % number) for number in range(150)}
    return {key: rows for key, rows in found.items() if rows}


def expected(folder: Path, pairs: list[Pair]) -> dict[bytes, dict[bytes, bytes]]:
    """As one reads it that applies record after record."""
    devices = new(folder / "expected")
    for offset, pair in enumerate(pairs):
        devices.apply([pair], following=offset + 1)
    return states(devices)


def reading(
    settings: Settings, *devices: Devices, seconds: float = 60
) -> tuple[ReadAhead, list[int]]:
    counted: list[int] = []
    return ReadAhead(settings, dict(enumerate(devices)), seconds, counted.append), counted


def test_what_is_read_ahead_is_all_of_it(
    settings: Settings, changelog: list[Pair], tmp_path: Path
) -> None:
    devices = [new(tmp_path, 0), new(tmp_path, 1)]
    ahead, counted = reading(settings, *devices)
    assert ahead.run() is False
    assert sum(counted) == 2 * len(changelog)
    for each in devices:
        assert each.next_offset == len(changelog)
        assert states(each) == expected(tmp_path / str(id(each)), changelog) != {}


def test_a_reading_that_ends_early_is_read_on_from_there(
    settings: Settings, changelog: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "_RECORDS", 50)
    devices = new(tmp_path)
    readings = 1
    while reading(settings, devices, seconds=0)[0].run():
        assert 0 < devices.next_offset <= len(changelog)
        readings += 1
    while devices.next_offset < len(changelog):  # one in which Kafka was too slow
        reading(settings, devices)[0].run()
    assert readings > 2
    assert states(devices) == expected(tmp_path, changelog)


def test_the_end_is_reached_where_the_last_records_are_gone(
    settings: Settings, changelog: list[Pair], tmp_path: Path
) -> None:
    end = end_offsets(settings, topics(settings).changelog)[0]
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    changelog_name = topics(settings).changelog.name
    # Of a topic that is compacted Kafka deletes nothing by itself.
    deleting = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    configured = ConfigResource("topic", changelog_name, incremental_configs=[deleting])
    for future in admin.incremental_alter_configs([configured]).values():
        future.result(30)
    for future in admin.delete_records([TopicPartition(changelog_name, 0, end)]).values():
        future.result(30)
    devices = new(tmp_path)
    assert reading(settings, devices)[0].run() is False
    assert devices.next_offset == end == len(changelog)
    assert states(devices) == {}


def test_after_a_stop_nothing_is_touched(
    settings: Settings,
    changelog: list[Pair],  # noqa: ARG001  # there would be something to read
    tmp_path: Path,
) -> None:
    devices = new(tmp_path)
    ahead, counted = reading(settings, devices)
    ahead.stop()
    assert ahead.run() is False
    assert (devices.next_offset, counted) == (0, [])


def test_a_kafka_that_is_away_leaves_all_to_faust(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    devices = new(tmp_path)
    assert reading(away, devices)[0].run() is False
    assert devices.next_offset == 0
    assert len(caplog.records) == 1
    assert "the changelog is read more slowly, after an error of Kafka: Kafka at" in caplog.text


def test_a_full_disk_ends_one_reading_and_not_the_next(
    settings: Settings, changelog: list[Pair], tmp_path: Path
) -> None:
    full = new(tmp_path, memory=1 << 12)
    with no_room(1_000), pytest.raises(OSError, match=SAID):
        reading(settings, full)[0].run()
    full.store.abandon()
    again = new(tmp_path, end=len(changelog))
    assert again.is_new
    assert reading(settings, again)[0].run() is False
    assert states(again) == expected(tmp_path, changelog) != {}


def table_of(settings: Settings, producer: BatchProducer) -> DeviceTable:
    """That of a worker which is not started. In an event loop."""
    local = LocalFolder.of(settings, "changelog", dict)
    app = create_app(settings, topic_id="topic", local=local, producer=producer)
    (found,) = app.tables.values()
    assert isinstance(found, DeviceTable)
    return found


def test_a_partition_that_is_revoked_meanwhile_keeps_what_was_read_until_then(
    settings: Settings, changelog: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "_RECORDS", 50)
    applied, dropped = asyncio.Event(), threading.Event()

    class Waiting(ReadAhead):
        """Goes on with its second batch once the partition is revoked."""

        def run(self) -> bool:
            told = self.applied
            self.applied = lambda records: (told(records), dropped.wait(30))
            return super().run()

    monkeypatch.setattr(table, "ReadAhead", Waiting)
    place = TP(topics(settings).changelog.name, 0)

    async def scenario() -> None:
        producer = BatchProducer(settings)
        devices_table = table_of(settings, producer)
        before = devices_table.partition(0).devices
        ahead = asyncio.ensure_future(devices_table.read_ahead([place]))
        monkeypatch.setattr(devices_table, "_recovered", lambda _: applied.set())
        await applied.wait()
        devices_table.drop([0])
        reached = before.next_offset
        again = devices_table.partition(0).devices
        dropped.set()
        # Nothing of it for Faust: the partition may be another's, or begin elsewhere.
        assert await ahead == ({}, False)
        assert before.next_offset == again.next_offset == again.store.meta.offset == reached
        assert 0 < reached < len(changelog)
        # It is no longer new, so that Faust reads what is left.
        assert await devices_table.read_ahead([place]) == ({}, False)
        again.apply(changelog[reached:], following=len(changelog))
        assert states(again) == expected(tmp_path, changelog)
        await producer.stop()

    asyncio.run(scenario())


def test_faust_reads_on_from_the_end_of_what_was_read(
    settings: Settings,
    changelog: list[Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = TP(topics(settings).changelog.name, 0)
    empty = TP(topics(settings).changelog.name, 2)
    told: list[Any] = []

    async def scenario() -> None:
        producer = BatchProducer(settings)
        devices_table = table_of(settings, producer)
        monkeypatch.setattr(devices_table, "_recovered", told.append)
        devices_table.partition(0)
        devices_table.partition(2)
        not_ours = TP(place.topic, 1)
        assert await devices_table.read_ahead([place, empty, not_ours]) == (
            {place: len(changelog) - 1},
            False,
        )
        await asyncio.sleep(0)
        assert sum(told) == len(changelog)
        await producer.stop()

    asyncio.run(scenario())
