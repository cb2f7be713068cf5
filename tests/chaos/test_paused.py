"""A worker is paused for longer than its session timeout and resumes beside its replacement."""

from __future__ import annotations

import signal
from datetime import timedelta
from itertools import islice
from pathlib import Path

from beacons import BeaconProducer, accepted, write_traffic
from processes import Verb, wait_for
from tables import assert_those_of_a_quiet_day

from pipeline.config import Settings
from pipeline.kafka.admin import committed_offsets, create_topics
from pipeline.status import status
from pipeline.topics import group, topics


def test_a_worker_that_resumes_beside_its_replacement_changes_no_table(
    settings: Settings, tmp_path: Path
) -> None:
    create_topics(settings)
    traffic = write_traffic(tmp_path / "traffic.ndjson", devices=300)
    rest = iter(requests := list(accepted(traffic)))
    share = len(requests) // 8 + 1
    producer, ours = BeaconProducer(settings), topics(settings)

    def committed() -> int:
        return sum(committed_offsets(settings, group(settings), ours.beacons).values())

    settings = settings.model_copy(
        update={"session_timeout": timedelta(seconds=6), "state_memory_bytes": 4500}
    )
    paused, loader = Verb("worker", settings, "paused"), Verb("load", settings)
    kept = [paused, loader]
    try:
        sent = producer.send(islice(rest, share))
        wait_for(lambda: committed() == sent)
        assert paused.process is not None
        # Within a batch: records are in flight when it stops.
        sent += producer.send(islice(rest, share))
        paused.process.send_signal(signal.SIGSTOP)
        sent += producer.send(islice(rest, share))
        kept.append(replacement := Verb("worker", settings, "replacement"))
        wait_for(lambda: committed() == sent)
        producer.send(islice(rest, share))
        paused.process.send_signal(signal.SIGCONT)
        producer.send(islice(rest, share))
        wait_for(
            lambda: status(settings).behind == 0,
            each=lambda: [process.keep() for process in kept],
        )
        # The paused worker's old partition state may not be used again.
        replacement.kill()
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
    assert_those_of_a_quiet_day(settings, traffic, tmp_path)
