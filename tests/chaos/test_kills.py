"""kill -9 of workers and the loader under load: the same tables as without (architecture).

The short form runs with the tests; `make chaos ARGS=--kills=60` is the long one.
"""

from __future__ import annotations

import random
import time
from itertools import islice
from pathlib import Path

import pytest
from beacons import BeaconProducer, accepted, write_traffic
from processes import Verb, wait_for
from tables import assert_those_of_a_quiet_day

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics, end_offsets
from pipeline.status import status
from pipeline.topics import topics


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


def test_kills_of_two_workers_and_the_loader_leave_the_tables_of_a_quiet_day(
    settings: Settings, kills: int, tmp_path: Path
) -> None:
    # Three devices: all others come from the local store.
    settings = settings.model_copy(update={"state_memory_bytes": 4500, "standby": True})
    create_topics(settings)
    traffic = write_traffic(tmp_path / "traffic.ndjson", devices=150 * kills)
    requests = list(accepted(traffic))
    producer, dice = BeaconProducer(settings), random.Random(kills)  # noqa: S311  # which process dies next
    kept = [
        # One keeps its partitions over a restart, the other must join again.
        Verb("worker", settings.model_copy(update={"worker_name": "static"}), "worker-1"),
        Verb("worker", settings, "worker-2"),
        Verb("load", settings),
    ]
    try:
        rest = iter(requests)
        share = len(requests) // (10 * kills) + 1
        for _ in range(kills):
            # Longer and shorter than a group needs to notice a death (session_timeout).
            until = time.monotonic() + dice.uniform(0.5, 12)
            for _ in range(10):
                producer.send(islice(rest, share))
                time.sleep(max(0.0, until - time.monotonic()) / 10)
            for victim in dice.sample(kept, k=dice.choice([1, 1, 2])):
                victim.kill()
            for process in kept:
                process.keep()
        producer.send(rest)
        wait_for(
            lambda: status(settings).is_published,
            each=lambda: [process.keep() for process in kept],
        )
    finally:
        for process in kept:
            process.kill()
    said = "\n".join(process.said() for process in kept)
    assert "Traceback" not in said, said

    ours = topics(settings)
    ends = [sum(end_offsets(settings, topic).values()) for topic in (ours.beacons, ours.outcomes)]
    print(f"\n{ends[0]} records, {ends[1] - ends[0]} outcomes repeated")

    assert_those_of_a_quiet_day(settings, traffic, tmp_path)
