"""Record batches to Kafka: one in flight per partition, each acknowledged before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from pipeline.topics import MAX_RECORD_BYTES

# Half of what the topic takes: the builder adds a first record above it without a word.
BATCH_BYTES = MAX_RECORD_BYTES // 2


class Outbox:
    """The worker's only way to write. Raises aiokafka's errors; no caller goes on after one."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(
        self, topic: str, partition: int, pairs: Iterable[tuple[bytes, bytes | None]]
    ) -> None:
        """Write all `pairs` in order; returns when every replica in sync has them."""
        producer = self._producer or await self._started()
        batch = producer.create_batch()
        for key, value in pairs:
            if batch.append(key=key, value=value, timestamp=None) is None:
                await _deliver(producer, batch, topic, partition)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            await _deliver(producer, batch, topic, partition)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            # Not before it is used: aiokafka complains of one that ends and was never started.
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    # Of 7 MB of outcomes it leaves 0.8 in 25 ms; snappy 1.8 in 7, aiokafka's lz4
                    # 1.3 in 65.
                    compression_type="zstd",
                    max_batch_size=BATCH_BYTES,
                    max_request_size=MAX_RECORD_BYTES,
                )
                await producer.start()
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Leave Kafka."""
        if self._producer is not None:
            await self._producer.stop()


async def _deliver(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> None:
    batch.close()
    await (await producer.send_batch(batch, topic, partition=partition))
