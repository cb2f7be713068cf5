"""A worker that keeps the states of another takes over without reading them from Kafka."""

from __future__ import annotations

from pathlib import Path

import lmdb
import msgspec
from beacons import BeaconProducer, accepted, write_traffic
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.kafka.admin import committed_offsets, create_topics, end_offsets
from pipeline.stream.local_state import Meta
from pipeline.stream.state_figures import read_figures
from pipeline.topics import group, topics


def test_a_standby_has_what_the_killed_worker_had(settings: Settings, tmp_path: Path) -> None:
    create_topics(settings)
    requests = list(accepted(write_traffic(tmp_path / "traffic.ndjson", devices=60)))
    producer, ours = BeaconProducer(settings), topics(settings)
    one, other = (on_a_machine(settings, tmp_path / name) for name in ("one", "other"))
    dying, survivor = Verb("worker", one), Verb("worker", other)

    def committed() -> int:
        return sum(committed_offsets(settings, group(settings), ours.beacons).values())

    try:
        half = len(requests) // 2
        sent = producer.send(requests[:half])
        wait_for(lambda: committed() == sent)
        ends = end_offsets(settings, ours.changelog)
        wait_for(lambda: is_ready(other, ends))
        dying.kill()
        sent += producer.send(requests[half:])
        wait_for(lambda: committed() == sent)
    finally:
        dying.kill()
        survivor.kill()


def on_a_machine(settings: Settings, home: Path) -> Settings:
    """A worker with a home of its own."""
    home.mkdir()
    return settings.model_copy(update={"home": home, "worker_name": home.name, "standby": True})


def is_ready(worker: Settings, ends: dict[int, int]) -> bool:
    """Whether it has all states of the partitions that it keeps for another, up to `ends`."""
    kept = [each.partition for each in read_figures(worker.home) if each.is_standby]
    return kept != [] and all(offset_of(worker, number) >= ends[number] for number in kept)


def offset_of(worker: Settings, number: int) -> int:
    try:
        with lmdb.open(
            str(worker.home / "state" / f"{number}-0"), readonly=True, lock=False
        ) as env:
            return msgspec.json.decode(env.begin().get(b"meta"), type=Meta).offset
    except (lmdb.Error, TypeError):
        return -1  # it is being written
