"""Events per CPU-second of the worker, beside a bare loop that does the same work without Faust.

    python bench/worker.py [--devices 6000] [--rounds 3]

Both answer the same backlog on the same Kafka with the same three steps, write outcomes, states
and local stores, and commit. Both collect garbage rarely, which is no matter of the client. The
bare loop has one process, no group, no recovery: what a client library by itself would cost. CPU
is that of the process, threads included. Kafka's is printed beside it: it takes the beacons from
one producer at full speed, and then outcomes and states.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
from confluent_kafka import Consumer, Producer, TopicPartition

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from beacons import (  # type: ignore[import-not-found]  # the tests' own
    BeaconProducer,
    accepted,
    write_traffic,
)
from processes import environment  # type: ignore[import-not-found]  # as above

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics, end_offsets, topic_ids
from pipeline.process.little_garbage import little_garbage
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.devices import Devices
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.partition import PartitionState
from pipeline.topics import topics

POLL_SECONDS = 0.1
PARTITIONS = 4
GIB = 1024**3


@dataclass(frozen=True)
class BareRecord:
    """What `PartitionState` reads of a record."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes


def bare(settings: Settings) -> None:
    """The same job as a loop over librdkafka; runs until it is killed."""
    bootstrap, ours = settings.kafka_bootstrap_servers, topics(settings)
    topic_id = topic_ids(settings, [ours.beacons.name])[ours.beacons.name]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{settings.topic_prefix}bare",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    numbers = range(settings.partitions)
    consumer.assign([TopicPartition(ours.beacons.name, number, 0) for number in numbers])
    local = LocalFolder(settings.home / "bare", topic_id, settings.rules, {})
    partitions = [
        PartitionState(
            number,
            settings.rules,
            Devices(local.open(number), b"w" * 16, lambda: settings.state_memory_bytes or GIB),
        )
        for number in numbers
    ]
    for partition in partitions:
        partition.start_at(
            Checkpoint(offset=0, stream_time=None, topic_id=topic_id, rules=settings.rules.digest())
        )
    while True:
        batches: dict[int, list[BareRecord]] = {}
        for message in consumer.consume(settings.run_records, POLL_SECONDS):
            record = BareRecord(
                message.offset() or 0,
                message.timestamp()[1],
                message.key() or b"",
                message.value() or b"",
            )
            batches.setdefault(message.partition() or 0, []).append(record)
        for number, records in batches.items():
            done = partitions[number].process(records, committed=0)
            for key, value in done.outcomes:
                producer.produce(ours.outcomes.name, value, key, partition=number)
            producer.flush()
            for key, value in done.states:
                producer.produce(ours.changelog.name, value, key, partition=number)
            producer.flush()
            partitions[number].acknowledged(done, None)
            consumer.commit(
                offsets=[TopicPartition(ours.beacons.name, number, done.checkpoint.offset)],
                asynchronous=True,
            )


def measured(command: list[str], settings: Settings, records: int) -> tuple[float, float, float]:
    """(records, CPU seconds, wall seconds) between the first answers and the last."""
    outcomes = topics(settings).outcomes
    child = subprocess.Popen(command, env=environment(settings))
    try:
        process = psutil.Process(child.pid)
        first: tuple[int, float, float] | None = None
        while True:
            time.sleep(POLL_SECONDS)
            done = sum(end_offsets(settings, outcomes).values())
            now = (done, sum(process.cpu_times()[:2]), time.monotonic())
            if first is None and done:
                first = now
            if done >= records and first is not None:
                return now[0] - first[0], now[1] - first[1], now[2] - first[2]
    finally:
        child.kill()
        child.wait()


def kafka_seconds(broker: Broker) -> float:
    """CPU seconds of the broker until now."""
    (java,) = psutil.Process(broker.process_id).children()
    return float(sum(java.cpu_times()[:2]))


def main() -> None:
    """Fill, run one after the other, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=6000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.bare:
        with little_garbage():
            bare(Settings())
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        requests = list(accepted(write_traffic(home / "traffic", devices=options.devices)))
        events = sum(record[1].count(b'"event_type"') for one in requests for record in one.records)
        with Broker(home, Settings().cache) as broker:
            worker = [sys.executable, "-m", "pipeline", "worker"]
            ways = {"bare loop": [sys.executable, __file__, "--bare"], "worker": worker}
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, command in ways.items():
                    settings = Settings(
                        kafka_bootstrap_servers=broker.bootstrap_servers,
                        topic_prefix=f"b{uuid4().hex[:8]}-",
                        partitions=PARTITIONS,
                        home=home,
                    )
                    create_topics(settings)
                    begun = kafka_seconds(broker)
                    records = BeaconProducer(settings).send(requests)
                    sent = kafka_seconds(broker)
                    done, cpu, wall = measured(command, settings, records)
                    kafka = (kafka_seconds(broker) - sent, sent - begun)
                    share = events / records
                    rates[name].append(done * share / cpu)
                    print(
                        f"{name:<10} {done * share / cpu:>8,.0f} events per CPU-second,"
                        f" {done * share / wall:>8,.0f} a second by the clock; Kafka"
                        f" {kafka[1] / events * 1e6:.1f} and then {kafka[0] / events * 1e6:.1f}"
                        " CPU seconds a million events"
                    )
            ratio = median(rates["worker"]) / median(rates["bare loop"])
            print(f"worker / bare loop: {ratio:.2f} (medians of {options.rounds})")


if __name__ == "__main__":
    main()
