"""What an erasure costs a worker: the store of a partition is written again while records come.

    python bench/erased_state.py [--devices 2000000] [--events 3]

One partition in a process without Kafka, its store filled by `many_devices.fill_store`. A batch of
visits, of devices at random, is processed whenever the loop is free. Printed: how long a go takes
at most, the seconds until nothing of before is on the disk, records a second meanwhile and without;
beside it the seconds of LMDB's own copy of the pages, for which the loop would stand still.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from many_devices import fill_store
from state import visits
from stream_log import FakeRecord, PartitionLog, checkpoint  # type: ignore[import-not-found]

from pipeline.stream.devices import Devices
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.local_state import LocalState
from pipeline.stream.partition import PartitionState
from pipeline.stream.upkeep import rewrite_regularly

BATCH, RECORDS = 100, 40_000
MEMORY = 256 * 1024 * 1024


async def processed(partition: PartitionState, records: list[FakeRecord], end: int) -> None:
    """Process them, as often as it takes; it never returns."""
    while True:
        for start in range(0, len(records), BATCH):
            first = partition.checkpoint.offset
            batch = [
                FakeRecord(first + number, record.key, record.value)
                for number, record in enumerate(records[start : start + BATCH])
            ]
            result = partition.process(batch, committed=0)
            partition.acknowledged(result, (end, end + len(result.states)))
            end += len(result.states)
            await asyncio.sleep(0)


async def measured(store: LocalState, partition: PartitionState, seconds: float | None) -> None:
    """Print what is answered in so many seconds, or, without any, until the file is new."""
    begun = last = time.perf_counter()
    first, longest = partition.checkpoint.offset, 0.0
    while time.perf_counter() - begun < seconds if seconds else store.is_rewriting:
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    took = time.perf_counter() - begun
    rate = (partition.checkpoint.offset - first) / took
    what = "without" if seconds else "written again"
    print(f"{what}: {took:.1f} s, {rate:,.0f} records/s, longest pause {longest * 1e3:.0f} ms")


async def run(devices: int, events: int, folder: Path) -> None:
    """Fill a store, erase, and print."""
    store = LocalFolder(folder, "", PartitionLog().rules, {0: devices}).open(0)
    fill_store(store, devices, events)
    (copy := folder / "copy").mkdir()
    begun = time.perf_counter()
    store._file.env.copy(str(copy), compact=True)  # noqa: SLF001  # what was done before
    print(f"{devices:,} devices, {store.disk_bytes / 1e6:,.0f} MB", end="; ")
    print(f"LMDB's own copy: {time.perf_counter() - begun:.1f} s", flush=True)
    partition = PartitionState(
        0, store.rules, Devices(store, b"b" * 16, lambda: MEMORY, write_bytes=4 << 20)
    )
    partition.start_at(checkpoint(100))
    tasks = [
        asyncio.create_task(processed(partition, visits(devices, RECORDS, first=100), devices)),
        asyncio.create_task(rewrite_regularly(lambda: [store])),
    ]
    await measured(store, partition, 10)
    store.erased()
    await measured(store, partition, None)
    for task in tasks:
        task.cancel()
    store.close()


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=2_000_000)
    arguments.add_argument("--events", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options.devices, options.events, Path(folder)))


if __name__ == "__main__":
    main()
