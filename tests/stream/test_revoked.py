"""What a worker holds of a partition ends with its assignment."""

from __future__ import annotations

import asyncio

from faust.types import TP
from stream_log import mark

from pipeline.config import Settings
from pipeline.stream.app import create_app
from pipeline.stream.batch_producer import BatchProducer
from pipeline.stream.table import DeviceTable
from pipeline.topics import topics


def test_nothing_is_held_of_a_revoked_partition() -> None:
    settings = Settings(_env_file=None, kafka_bootstrap_servers="127.0.0.1:9")
    beacons = topics(settings).beacons.name
    revoked, kept = TP(beacons, 0), TP(beacons, 1)

    async def told() -> None:
        outbox = BatchProducer(settings)
        app = create_app(settings, topic_id="topic", outbox=outbox)
        consumer = app.consumer
        (table,) = app.tables.values()
        assert isinstance(table, DeviceTable)
        before = {tp: table.partition(tp.partition) for tp in (revoked, kept)}
        for tp in (revoked, kept):
            consumer.marks[tp] = mark(3)
            consumer.acknowledged[tp] = 3
            app.tables.recovery.active_offsets[tp] = 3
        await consumer.on_partitions_revoked({revoked})
        assert list(consumer.marks) == list(consumer.acknowledged) == [kept]
        # A later recovery begins at the beginning of the changelog.
        assert list(app.tables.recovery.active_offsets) == [kept]
        assert not table.is_current(before[revoked])
        assert table.partition(0) is not before[revoked]
        assert table.partition(1) is before[kept]
        await outbox.stop()

    asyncio.run(told())


def test_no_worker_follows_the_changelogs_of_others() -> None:
    async def replicas() -> int:
        settings = Settings(_env_file=None, kafka_bootstrap_servers="127.0.0.1:9")
        outbox = BatchProducer(settings)
        app = create_app(settings, topic_id="topic", outbox=outbox)
        await outbox.stop()
        return int(app.conf.table_standby_replicas)

    assert asyncio.run(replicas()) == 0
