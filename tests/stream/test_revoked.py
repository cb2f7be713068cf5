"""A worker drops its state of a partition at the end of the assignment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from faust.types import TP
from stream_log import checkpoint

from pipeline.config import Settings
from pipeline.stream.app import create_app
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.table import DeviceTable
from pipeline.topics import topics


def test_the_state_of_a_revoked_partition_is_dropped(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, kafka_bootstrap_servers="127.0.0.1:9")
    beacons = topics(settings).beacons.name
    revoked, kept = TP(beacons, 0), TP(beacons, 1)

    async def scenario() -> None:
        producer = BatchProducer(settings)
        local = LocalFolder.of(settings, "changelog", dict)
        app = create_app(settings, topic_id="topic", local=local, producer=producer)
        consumer = app.consumer
        (table,) = app.tables.values()
        assert isinstance(table, DeviceTable)
        before = {tp: table.partition(tp.partition) for tp in (revoked, kept)}
        for tp in (revoked, kept):
            consumer.checkpoints[tp] = checkpoint(3)
            consumer.committed_offsets[tp] = 3
            app.tables.recovery.active_offsets[tp] = 3
        await consumer.on_partitions_revoked({revoked})
        assert list(consumer.checkpoints) == list(consumer.committed_offsets) == [kept]
        # A later recovery starts where the local state is.
        assert list(app.tables.recovery.active_offsets) == [kept]
        assert not table.is_current(before[revoked])
        assert table.partition(0) is not before[revoked]
        assert table.partition(1) is before[kept]
        await producer.stop()

    asyncio.run(scenario())


def test_a_partition_that_returns_is_read_on_from_its_local_state(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, kafka_bootstrap_servers="127.0.0.1:9")
    place = TP(topics(settings).changelog.name, 0)

    async def offsets() -> list[int | None]:
        producer = BatchProducer(settings)
        local = LocalFolder.of(settings, "changelog", dict)
        app = create_app(settings, topic_id="topic", local=local, producer=producer)
        (table,) = app.tables.values()
        found = [table.persisted_offset(place)]
        table.partition(0).devices.apply([(b"w" * 16 + b"key", None)] * 3, following=3)
        table.partition(0).devices.finish_recovery()
        table.drop([0])
        found.append(table.persisted_offset(place))
        await producer.stop()
        return found

    # Faust seeks to the last offset that is known, and reads that record once more.
    assert asyncio.run(offsets()) == [None, 2]


def test_no_worker_reads_the_changelogs_of_others(tmp_path: Path) -> None:
    async def replicas() -> int:
        settings = Settings(_env_file=None, home=tmp_path, kafka_bootstrap_servers="127.0.0.1:9")
        producer = BatchProducer(settings)
        local = LocalFolder.of(settings, "changelog", dict)
        app = create_app(settings, topic_id="topic", local=local, producer=producer)
        await producer.stop()
        return int(app.conf.table_standby_replicas)

    assert asyncio.run(replicas()) == 0
