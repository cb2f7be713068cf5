"""A worker that comes back to many devices: seconds until its first answer, and its memory.

    python bench/restart.py [--devices 10000000] [--memory 256] [--seconds 60] [--rate 500]

With its local state, then, after some traffic, without it. Changelog and stores are written by
`many_devices.fill`, not by a worker: its hours of traffic are of no interest here. Seconds are by
the clock, from the worker's line about its partitions (the assignment) to the first outcome.
Memory is what is private and anonymous: mapped pages of the store are the kernel's to take back.
Records of devices at random are the dearest case, in which none of them is in memory. They arrive
as fast as the worker answers them, or at `rate` a second; every five minutes its memory is printed.
"""

from __future__ import annotations

import argparse
import atexit
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil  # type: ignore[import-untyped]
from many_devices import fill, sent, visit
from processes import Verb  # type: ignore[import-not-found]  # the tests' own, found by the above

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.topics import topics

PARTITIONS = 4
MEBIBYTE = 1024 * 1024
POLL_SECONDS = 0.02
AT_ONCE = 2_000
LOOK_SECONDS = 300


def private_memory(process_id: int) -> int:
    """Bytes of a process that are its own and in no file."""
    rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    (line,) = (line for line in rollup.splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


def answered(settings: Settings) -> int:
    """How many outcomes there are."""
    while True:
        # On a machine that is busy Kafka elects leaders now and then.
        with suppress(KafkaUnusableError):
            return sum(end_offsets(settings, topics(settings).outcomes).values())


class Worker:
    """A worker under its name, and the most memory that it had at any look."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.begun_at = time.monotonic()
        self.verb = Verb("worker", settings, f"worker-{time.monotonic()}")
        # Also where the bench is stopped.
        atexit.register(self.verb.kill)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.memory = 0

    def look(self) -> None:
        """Look at its memory."""
        self.verb.assert_alive()
        self.memory = max(self.memory, self.private())

    def private(self) -> int:
        """Bytes of its own now."""
        assert self.verb.process is not None
        return private_memory(self.verb.process.pid)

    def cpu(self) -> float:
        """CPU seconds so far."""
        assert self.verb.process is not None
        return float(sum(psutil.Process(self.verb.process.pid).cpu_times()[:2]))

    def wait(self, outcomes: int) -> float:
        """Seconds from the assignment until there are so many outcomes."""
        assigned_at = None
        while answered(self.settings) < outcomes:
            if assigned_at is None and "partition " in self.verb.said():
                assigned_at = time.monotonic()
            self.look()
            time.sleep(POLL_SECONDS)
        return time.monotonic() - (assigned_at or self.begun_at)


def main() -> None:
    """Fill, come back, work, come back without anything."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=10_000_000)
    arguments.add_argument("--events", type=int, default=3)
    arguments.add_argument("--memory", type=int, default=256, help="PIPELINE_STATE_MEMORY in MiB")
    arguments.add_argument("--seconds", type=float, default=60, help="Of traffic.")
    arguments.add_argument("--rate", type=float, default=0, help="Records a second; 0: no limit.")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder), Settings().cache) as broker:
        settings = Settings(
            kafka_bootstrap_servers=broker.bootstrap_servers,
            partitions=PARTITIONS,
            home=Path(folder),
            worker_name="one",
            state_memory_bytes=options.memory * MEBIBYTE,
        )
        create_topics(settings)
        draw = Random(1)  # noqa: S311  # no secret
        devices = range(options.devices // PARTITIONS)

        def visits(count: int, minute: float) -> int:
            numbers = draw.choices(devices, k=count)
            return sent(settings, ((n % PARTITIONS, visit(n, minute)) for n in numbers))

        first = Worker(settings)
        records = sent(settings, ((n % PARTITIONS, visit(n, 0)) for n in range(64)))
        first.wait(records)
        assert first.verb.stop() == 0
        begun = time.monotonic()
        fill(settings, options.devices, options.events)
        print(f"filled in {time.monotonic() - begun:,.0f} s", flush=True)

        records += visits(1_000, 60)
        back = Worker(settings)
        seconds = back.wait(answered(settings) + 1)
        print(f"with local state: {seconds:.1f} s from the assignment to the first answer")
        back.wait(records)
        print(f"  {back.memory / MEBIBYTE:,.0f} MiB private until it has caught up", flush=True)
        until, begun, worked = time.monotonic() + options.seconds, time.monotonic(), records
        look_at = begun
        while time.monotonic() < until:
            records += visits(AT_ONCE, 60)
            back.wait(records)
            if time.monotonic() >= look_at:
                minute = (time.monotonic() - begun) / 60
                print(f"    minute {minute:.0f}: {back.private() / MEBIBYTE:,.0f} MiB", flush=True)
                look_at += LOOK_SECONDS
            if options.rate:
                due = begun + (records - worked) / options.rate
                time.sleep(max(0.0, due - time.monotonic()))
        rate = (records - worked) / (time.monotonic() - begun)
        print(
            f"  {back.memory / MEBIBYTE:,.0f} MiB after {options.seconds:.0f} s of {rate:,.0f}"
            f" records/s, with PIPELINE_STATE_MEMORY_BYTES of {options.memory} MiB",
            flush=True,
        )
        back.verb.kill()

        shutil.rmtree(settings.home / "state")
        records += visits(1_000, 61)
        changelog = sum(end_offsets(settings, topics(settings).changelog).values())
        bare = Worker(settings)
        seconds = bare.wait(answered(settings) + 1)
        print(
            f"without: {seconds:.1f} s, {changelog / seconds:,.0f} records of the changelog a"
            f" second, {bare.memory / MEBIBYTE:,.0f} MiB private"
        )
        bare.verb.kill()


if __name__ == "__main__":
    main()
