"""How long answers stop when one of two workers is killed, without and with standbys.

    python bench/failover.py [--devices 400000] [--rate 1000]

Two workers with homes of their own share four partitions of the real embedded Kafka, and so many
devices; records arrive at that rate. One worker gets kill -9. `gap` is the longest time in which a
partition had no new outcome: the session timeout, after which Kafka notices, and the recovery.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from uuid import uuid4

from confluent_kafka import Producer
from many_devices import fill, sent, visit
from processes import Verb, wait_for  # type: ignore[import-not-found]  # the tests' own
from restart import PARTITIONS, Worker

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.stream.state_figures import read_figures
from pipeline.topics import topics

POLL_SECONDS = 0.05
BEFORE_SECONDS = 10


class Load(threading.Thread):
    """Sends records of devices at random, `rate` a second, until it is stopped."""

    def __init__(self, settings: Settings, rate: int, devices: int) -> None:
        super().__init__(daemon=True)
        self._settings, self._rate, self._devices = settings, rate, devices
        self._stopped = threading.Event()
        self.sent = 0

    def run(self) -> None:
        """Send what is due, ten times a second."""
        draw, begun = Random(1), time.monotonic()  # noqa: S311  # no secret
        producer = Producer({"bootstrap.servers": self._settings.kafka_bootstrap_servers})
        beacons = topics(self._settings).beacons.name
        while not self._stopped.wait(0.1):
            while self.sent < (time.monotonic() - begun) * self._rate:
                number = draw.randrange(self._devices // PARTITIONS)
                key, value = visit(number, 60)
                producer.produce(beacons, value, key, self.sent % PARTITIONS)
                self.sent += 1
            producer.poll(0)
        producer.flush(30)

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()
        self.join()


def gap(settings: Settings, killed_at: float) -> float:
    """The longest time without a new outcome of any partition, until all go on."""
    outcomes, longest = topics(settings).outcomes, 0.0
    ends = end_offsets(settings, outcomes)
    grown = dict.fromkeys(ends, killed_at)
    still = settings.session_timeout.total_seconds() / 2
    while True:
        time.sleep(POLL_SECONDS)
        now, found = time.monotonic(), end_offsets(settings, outcomes)
        for number, end in found.items():
            if end > ends[number]:
                longest = max(longest, now - grown[number])
                grown[number] = now
        ends = found
        if longest > still and all(now - each < 1 for each in grown.values()):
            return longest


def has_all(home: Path, devices: int) -> bool:
    """Whether a worker has all devices in its local stores."""
    return sum(one.devices for one in read_figures(home)) >= devices


def failover(settings: Settings, rate: int, devices: int, *, standby: bool) -> float:
    """Seconds without answers after kill -9 of one of two workers."""
    homes = [settings.home / f"{name}-{uuid4().hex[:6]}" for name in ("one", "other")]
    workers = []
    for home in homes:
        home.mkdir()
        update = {"home": home, "worker_name": home.name, "standby": standby}
        workers.append(Verb("worker", settings.model_copy(update=update)))
    dying, survivor = workers
    load = Load(settings, rate, devices)
    try:
        if standby:
            # By their figures: each has all devices, its own and the other's.
            wait_for(lambda: all(has_all(home, devices) for home in homes), seconds=400)
        load.start()
        started = end_offsets(settings, topics(settings).outcomes)
        wait_for(
            lambda: all(
                end > started[number]
                for number, end in end_offsets(settings, topics(settings).outcomes).items()
            ),
            seconds=400,
        )
        time.sleep(BEFORE_SECONDS)
        dying.kill()
        return gap(settings, time.monotonic())
    finally:
        load.stop()
        dying.kill()
        survivor.kill()


def main() -> None:
    """Without, then with standbys."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=400_000)
    arguments.add_argument("--rate", type=int, default=1_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder), Settings().cache) as broker:
        settings = Settings(
            kafka_bootstrap_servers=broker.bootstrap_servers,
            partitions=PARTITIONS,
            home=Path(folder),
        )
        create_topics(settings)
        first = Worker(settings)
        first.wait(sent(settings, ((n % PARTITIONS, visit(n, 0)) for n in range(64))))
        assert first.verb.stop() == 0
        fill(settings, options.devices, 3)
        shutil.rmtree(settings.home / "state")
        timeout = settings.session_timeout.total_seconds()
        for standby in (False, True):
            seconds = failover(settings, options.rate, options.devices, standby=standby)
            print(
                f"{'with' if standby else 'without'} standbys: a gap of {seconds:.1f} s at"
                f" {options.rate:,} records/s; the session timeout is {timeout:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
