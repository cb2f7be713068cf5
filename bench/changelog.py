"""Bytes of a changelog under steady traffic, beside those of its live devices.

    python bench/changelog.py [--devices 150000] [--events 12] [--rounds 6]

One partition of the real embedded Kafka, once with Kafka's own settings of compaction, once with
those of `topics.py`. All devices are written, then in each round as many devices at random, as a
worker sends them: a thousand to a batch, compressed. Kafka's cleaner looks every 15 seconds; each
round waits for two looks. `kept` is what is on disk then, `records` what a recovery would read.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # as in pipeline.kafka
from many_devices import Copies, key_of

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.topic_sizes import topic_bytes
from pipeline.stream.batch_producer import BatchProducer
from pipeline.topics import topics

BATCH = 1_000
LOOKS_SECONDS = 32
WRITER = b"w" * 16
MEGABYTE = 1e6
# What a changelog of the embedded Kafka had before `topics.py` said it.
BEFORE = {
    "min.cleanable.dirty.ratio": "0.5",
    "segment.bytes": str(256 * 1024 * 1024),
}


async def write(settings: Settings, numbers: Iterable[int], states: Iterator[bytes]) -> None:
    """A new state of each device of `numbers`."""
    producer = BatchProducer(settings)
    rest = iter(numbers)
    while batch := list(islice(rest, BATCH)):
        pairs = [(WRITER + key_of(number), next(states)) for number in batch]
        await producer.send(topics(settings).changelog.name, 0, pairs)
    await producer.stop()


def records(settings: Settings) -> int:
    """How many records are in the changelog."""
    changelog = topics(settings).changelog
    end = end_offsets(settings, changelog)[0]
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": uuid4().hex,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(changelog.name, 0, 0)])
    count, reached = 0, 0
    while reached < end:
        for message in consumer.consume(10_000, 1.0):
            count, reached = count + 1, (message.offset() or 0) + 1
    consumer.close()
    return count


def make_changelog(settings: Settings, config: dict[str, str]) -> None:
    """The changelog with `config` besides its own; the other topics follow."""
    topic, kafka = topics(settings).changelog, KafkaAdmin(settings)
    made = NewTopic(topic.name, 1, 1, config=topic.config | config)
    kafka.admin.create_topics([made])[topic.name].result()
    create_topics(settings)


def main() -> None:
    """Both ways, one after the other, on one Kafka."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=150_000)
    arguments.add_argument("--events", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=6)
    options = arguments.parse_args()
    numbers = range(options.devices)
    copies = Copies.of(options.events)
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder), Settings().cache) as broker:
        for name, config in {"before": BEFORE, "after": {}}.items():
            settings = Settings(
                kafka_bootstrap_servers=broker.bootstrap_servers,
                topic_prefix=f"{name}-",
                partitions=1,
                home=Path(folder),
            )
            make_changelog(settings, config)
            draw, states = Random(1), copies.states(1)  # noqa: S311  # no secret
            asyncio.run(write(settings, numbers, states))
            live = topic_bytes(settings, topics(settings).changelog)[0]
            print(f"{name}: {options.devices:,} devices, {live / MEGABYTE:,.0f} MB live")
            written = live
            for number in range(options.rounds):
                asyncio.run(write(settings, draw.choices(numbers, k=len(numbers)), states))
                written += live
                time.sleep(LOOKS_SECONDS)
                kept = topic_bytes(settings, topics(settings).changelog)[0]
                print(
                    f"  round {number + 1}: {written / MEGABYTE:>6,.0f} MB written,"
                    f" {kept / MEGABYTE:>6,.0f} MB kept, {kept / live:.2f} of live;"
                    f" {records(settings):,} records",
                    flush=True,
                )


if __name__ == "__main__":
    main()
