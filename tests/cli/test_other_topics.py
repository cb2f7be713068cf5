"""`pipeline topics --adopt` on a real Kafka: a warehouse goes on where its topics are lost."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from beacons import BeaconProducer, accepted, write_traffic
from kafka_outcomes import loading, rows
from processes import Verb, run_python, wait_published
from tables import assert_those_of_a_quiet_day

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.loader import Loader

# Dies when the group has its commits, in the transaction, and after it.
DIES = """
import os, signal, sys
from pipeline.cli.main import main
from pipeline.stream import handover
from pipeline.warehouse.rebuild import other_topics

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

commit = handover._commit
if sys.argv[1] == "commits":
    handover._commit = lambda *some: (commit(*some), die())
elif sys.argv[1] == "warehouse":
    other_topics.begin_with_keys = die
else:
    publish = other_topics.SnapshotPublisher.publish

    def first_alone(self):
        publish(self)
        other_topics.SnapshotPublisher.publish = die

    other_topics.SnapshotPublisher.publish = first_alone
main(["topics", "--adopt"])
"""


def run(settings: Settings, *, dies: str = "") -> subprocess.CompletedProcess[str]:
    program = ("-c", DIES, dies) if dies else ("-m", "pipeline", "topics", "--adopt")
    return run_python(settings, *program)


def test_a_warehouse_goes_on_where_its_topics_are_lost(settings: Settings, tmp_path: Path) -> None:
    # A week of traffic comes in seconds.
    settings = settings.model_copy(update={"lateness": timedelta(days=8)})
    create_topics(settings)
    requests = list(accepted(write_traffic(tmp_path / "traffic.ndjson", devices=60)))
    half = len(requests) // 2
    worker = Verb("worker", settings)
    try:
        with loading(settings):
            BeaconProducer(settings).send(requests[:half])
            wait_published(settings)
        assert worker.stop() == 0

        # Other names are other topics, as those of another Kafka.
        other = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}new-"})
        create_topics(other)
        with pytest.raises(DatabaseError, match="`pipeline topics --adopt` goes on"):
            Loader(other)
        # What ingest has sent meanwhile, with repeats of what the warehouse holds.
        rest = [*(replace(one, rejected=[]) for one in requests[:half:5]), *requests[half:]]
        BeaconProducer(other).send(rest[: len(rest) // 2])
        fewer = run(other.model_copy(update={"partitions": 2}))
        assert (fewer.returncode, len(fewer.stderr.splitlines())) == (1, 1)
        for step in ("commits", "warehouse"):
            assert run(other, dies=step).returncode == -signal.SIGKILL
            with pytest.raises(DatabaseError, match="`pipeline topics --adopt` goes on"):
                Loader(other)
        # From here on the loader publishes.
        assert run(other, dies="publish").returncode == -signal.SIGKILL
        done = run(other)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the warehouse goes on with these topics already\n"

        worker.settings = other
        worker.start()
        with loading(other):
            BeaconProducer(other).send(rest[len(rest) // 2 :])
            wait_published(other)
        assert rows(other, "SELECT count(*) > 100 FROM events WHERE NOT is_late") == [(True,)]
        assert_those_of_a_quiet_day(other, tmp_path / "traffic.ndjson", tmp_path)
        assert worker.stop() == 0
    finally:
        worker.kill()
