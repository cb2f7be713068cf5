"""Runs `Streams.java`: Kafka Streams with RocksDB, on the Java and Kafka of the embedded broker."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # as in pipeline.kafka
from many_devices import Copies, key_of

from pipeline.config import Settings
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import locked
from pipeline.devstack.broker.java import find_java
from pipeline.kafka.clients import KafkaAdmin

HERE = Path(__file__).parent
INPUT, APPLICATION = "streams-input", "streams"


@contextmanager
def streams(settings: Settings, folder: Path, records: int) -> Iterator[IO[str]]:
    """Its output, while it runs with its state in `folder`."""
    jars = [*locked(), *locked(HERE / "streams.lock")]
    path = os.pathsep.join(map(str, fetch(settings.cache, jars=jars)))
    command = [str(find_java()), "-Xmx1g", "-cp", path, str(HERE / "Streams.java")]
    given = [settings.kafka_bootstrap_servers, APPLICATION, INPUT, str(folder), str(records)]
    process = subprocess.Popen(
        [*command, *given], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def answer(lines: IO[str], name: str) -> list[float]:
    """The numbers of the line `name`; those before it are passed."""
    for line in lines:
        if line.startswith(name):
            return [float(number) for number in line.split()[1:]]
    raise SystemExit("Kafka Streams has ended")


def recovered_by_streams(settings: Settings, folder: Path, devices: int, events: int) -> float:
    """Records a second of its recovery; all devices are processed before, and again then."""
    kafka = KafkaAdmin(settings)
    made = NewTopic(INPUT, settings.partitions, 1)
    kafka.admin.create_topics([made])[INPUT].result()
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "compression.type": "zstd",
            "linger.ms": 5,
        }
    )
    states = Copies.of(events).states(1)

    def send(count: int) -> None:
        for number in range(count):
            producer.produce(INPUT, next(states), key_of(number), number % settings.partitions)
            if not number % 1000:
                while len(producer) > 50_000:
                    producer.poll(0.1)
        assert producer.flush(120) == 0

    send(devices)
    with (
        tempfile.TemporaryDirectory(dir=folder) as state,
        streams(settings, Path(state), devices) as lines,
    ):
        records, seconds, cpu = answer(lines, "processed")
    print(
        f"processing, Kafka Streams: {records / seconds:,.0f} records/s,"
        f" {cpu / records * 1e6:.1f} us of CPU a record",
        flush=True,
    )
    with (
        tempfile.TemporaryDirectory(dir=folder) as state,
        streams(settings, Path(state), 1) as lines,
    ):
        records, seconds, cpu = answer(lines, "restored")
    print(
        f"recovery, Kafka Streams: {seconds:.1f} s, {records / seconds:,.0f} records/s,"
        f" {cpu / records * 1e6:.1f} us of CPU a record",
        flush=True,
    )
    return records / seconds
