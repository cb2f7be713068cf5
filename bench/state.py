"""Workers' state by devices and events: memory, disk and speed; recovery beside Kafka Streams.

    python bench/state.py [--devices 200000] [--events 3 12 36] [--records 60000]
    python bench/state.py --streams [--devices 1000000] [--events 3]

The first: one partition in a process without Kafka, its store filled by `many_devices.fill_store`.
Devices come in visits of four records with three events each, 500 visits at a time. `all`: every
device is in memory; `tenth`: memory for a tenth of them. CPU is that of the process.

The second: the real embedded Kafka. A worker without local state reads a changelog, and then Kafka
Streams with RocksDB (`Streams.java`: no rules, one value by device) its own, of the same bytes.
Seconds are by the clock: the worker's from its assignment to its first answer, Kafka Streams' from
its first restored batch to the end of its restoring.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from kafka_streams import recovered_by_streams
from many_devices import MORNING, Copies, fill, fill_store, key_of, sent, visit
from restart import MEBIBYTE, PARTITIONS, Worker, answered, private_memory
from stream_log import FakeRecord, PartitionLog, checkpoint  # type: ignore[import-not-found]

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.stream.devices import Devices
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.partition import PartitionState
from pipeline.topics import topics

BATCH = 500
AT_A_TIME, RECORDS_OF_A_VISIT, EVENTS_OF_A_RECORD = 500, 4, 3


def visits(devices: int, records: int, *, first: int) -> list[FakeRecord]:
    """Records of visits of devices at random, which take turns."""
    draw = Random(first)  # noqa: S311  # no secret
    active: list[list[int]] = []
    made: list[FakeRecord] = []
    while len(made) < records:
        while len(active) < AT_A_TIME:
            active.append([draw.randrange(devices), RECORDS_OF_A_VISIT])
        place = draw.randrange(AT_A_TIME)
        active[place][1] -= 1
        key, value = visit(active[place][0], 60 + len(made) / records)
        made.append(FakeRecord(first + len(made), key, value, MORNING))
        if not active[place][1]:
            active[place] = active[-1]
            active.pop()
    return made


def run(partition: PartitionState, records: list[FakeRecord], end: int) -> int:
    """Process them as a worker does; returns the end of the changelog."""
    for start in range(0, len(records), BATCH):
        result = partition.process(records[start : start + BATCH], committed=0)
        partition.acknowledged(result, (end, end + len(result.states)))
        end += len(result.states)
    return end


def one(devices: int, events: int, records: int, *, memory: int, folder: Path) -> dict[str, float]:
    """Microseconds a record, by CPU and by the clock, and bytes in memory and on disk."""
    log = PartitionLog()
    local = LocalFolder(folder, "", log.rules, {0: devices})
    store = local.open(0)
    value = fill_store(store, devices, events)
    before = private_memory(os.getpid())
    held = Devices(store, b"b" * 16, lambda: memory)
    partition = PartitionState(0, log.rules, held)
    partition.start_at(checkpoint(100))
    if memory >= devices * len(value) * 4:
        for number in range(devices):  # all are in memory before the first visit
            held.get(key_of(number))
    decoded = private_memory(os.getpid()) - before
    end = run(partition, visits(devices, records // 4, first=100), devices)
    measured = visits(devices, records, first=100 + records // 4)
    cpu, begun = time.process_time(), time.perf_counter()
    run(partition, measured, end)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - begun
    held.write()
    return {
        "us": cpu / records * 1e6,
        "clock": seconds / records * 1e6,
        "memory": private_memory(os.getpid()) - before,
        "decoded": decoded / devices,
        "disk": store.disk_bytes,
        "state": len(value),
    }


def speed(devices: int, events: int, records: int) -> None:
    """All in memory, then a tenth; each in a process of its own."""
    found = {}
    for name, memory in {"all": 1 << 40, "tenth": 0}.items():
        with tempfile.TemporaryDirectory() as folder:
            value = len(Copies.of(events).value)
            most = memory or devices * (1200 + 6 * value) // 10
            asked = json.dumps([devices, events, records, most, folder])
            done = subprocess.run(
                [sys.executable, __file__, "--one", asked], capture_output=True, check=True
            )
            found[name] = json.loads(done.stdout)
    whole, tenth = found["all"], found["tenth"]
    print(
        f"{events:>3} events: {whole['us']:>5.0f} us of CPU a record with all of {devices:,} in"
        f" memory, {tenth['us']:>5.0f} with a tenth: {whole['us'] / tenth['us']:.2f} of the speed"
        f" ({EVENTS_OF_A_RECORD / whole['us'] * 1e6:,.0f} and"
        f" {EVENTS_OF_A_RECORD / tenth['us'] * 1e6:,.0f} events per CPU-second;"
        f" by the clock {whole['clock'] / tenth['clock']:.2f})\n"
        f"    bytes a device: {whole['decoded']:,.0f} in memory,"
        f" {tenth['disk'] / devices:,.0f} on disk, {whole['state']:,.0f} in a record of the"
        f" changelog; {whole['memory'] / MEBIBYTE:,.0f} and {tenth['memory'] / MEBIBYTE:,.0f} MiB",
        flush=True,
    )


def beside_streams(devices: int, events: int) -> None:
    """Recovery of the same changelog by a worker, and by Kafka Streams."""
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder), Settings().cache) as broker:
        settings = Settings(
            kafka_bootstrap_servers=broker.bootstrap_servers,
            partitions=PARTITIONS,
            home=Path(folder),
            worker_name="one",
        )
        create_topics(settings)
        first = Worker(settings)
        first.wait(sent(settings, ((n % PARTITIONS, visit(n, 0)) for n in range(64))))
        assert first.verb.stop() == 0
        fill(settings, devices, events)
        shutil.rmtree(settings.home / "state")
        sent(settings, ((n % PARTITIONS, visit(n, 61)) for n in range(64)))
        records = sum(end_offsets(settings, topics(settings).changelog).values())
        worker = Worker(settings)
        cpu = -worker.cpu()
        seconds = worker.wait(answered(settings) + 1)
        cpu += worker.cpu()
        worker.verb.kill()
        rate = records / seconds
        print(
            f"recovery, worker: {seconds:.1f} s, {rate:,.0f} records/s,"
            f" {cpu / records * 1e6:.1f} us of CPU a record,"
            f" {worker.memory / MEBIBYTE:,.0f} MiB private",
            flush=True,
        )
        theirs = recovered_by_streams(settings, Path(folder), devices, events)
        print(f"worker / Kafka Streams: {rate / theirs:.2f}")


def main() -> None:
    """Print what was asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int)
    arguments.add_argument("--events", type=int, nargs="*")
    arguments.add_argument("--records", type=int, default=60_000)
    arguments.add_argument("--streams", action="store_true")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.one:
        devices, events, records, memory, folder = json.loads(options.one)
        answer = one(devices, events, records, memory=memory, folder=Path(folder))
        sys.stdout.write(json.dumps(answer))
    elif options.streams:
        beside_streams(options.devices or 1_000_000, (options.events or [3])[0])
    else:
        for events in options.events or [3, 12, 36]:
            speed(options.devices or 200_000, events, options.records)


if __name__ == "__main__":
    main()
