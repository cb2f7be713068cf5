"""The worker as a process on a real Kafka: what it writes, commits and refuses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import lmdb
import msgspec
import pytest
from beacons import BeaconProducer, accepted, write_traffic
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.domain.outcomes import Outcome
from pipeline.ingest.accept import Accepted
from pipeline.kafka.admin import committed_offsets, create_topics, end_offsets
from pipeline.status.state_sizes import state_sizes
from pipeline.stream.local_state import META_KEY, Meta
from pipeline.topics import Topic, group, topics


@pytest.fixture
def ingest(settings: Settings) -> BeaconProducer:
    create_topics(settings)
    return BeaconProducer(settings)


@pytest.fixture
def requests(tmp_path: Path) -> list[Accepted]:
    return list(accepted(write_traffic(tmp_path / "traffic.ndjson", devices=30)))


@pytest.fixture
def worker(settings: Settings, ingest: BeaconProducer) -> Iterator[Verb]:  # noqa: ARG001  # topics first
    running = Verb("worker", settings)
    yield running
    running.kill()


def outcomes(settings: Settings) -> list[Outcome]:
    """All records of the topic, in order of partition and offset."""
    topic = topics(settings).outcomes
    ends = end_offsets(settings, topic)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic.name, number, 0) for number in ends])
    found = []
    while len(found) < sum(ends.values()):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        found.append(message)
    consumer.close()
    found.sort(key=lambda message: (message.partition(), message.offset()))
    return [msgspec.json.decode(message.value(), type=Outcome) for message in found]


def count(settings: Settings, topic: Topic) -> int:
    return sum(end_offsets(settings, topic).values())


def committed(settings: Settings) -> int:
    return sum(committed_offsets(settings, group(settings), topics(settings).beacons).values())


def wait_for_outcomes(settings: Settings, records: int) -> None:
    wait_for(lambda: count(settings, topics(settings).outcomes) >= records)


def refused(settings: Settings, message: str) -> None:
    """A worker with `settings` exits by itself, with one line that says why."""
    process = Verb("worker", settings, "refused")
    try:
        assert process.process is not None
        assert process.process.wait(60) == 1
    finally:
        process.kill()
    assert message in process.said()
    assert "Traceback" not in process.said()


def test_each_record_has_one_outcome_and_sigterm_commits_them(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    records = ingest.send(requests)
    wait_for_outcomes(settings, records)
    wait_for(lambda: stored(settings) > 0)
    assert all(one.changelog_bytes for one in state_sizes(settings))
    assert worker.stop() == 0
    assert committed(settings) == records
    origins = [(outcome.origin.partition, outcome.origin.offset) for outcome in outcomes(settings)]
    assert len(set(origins)) == len(origins) == records
    for number, end in end_offsets(settings, topics(settings).beacons).items():
        assert {offset for partition, offset in origins if partition == number} == set(range(end))


def test_a_worker_continues_with_the_state_of_its_predecessor(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    half = len(requests) // 2
    first = ingest.send(requests[:half])
    wait_for_outcomes(settings, first)
    worker.kill()
    # The same requests again: a worker that remembers finds nothing new in them.
    again = ingest.send(requests[:half])
    worker.start()
    wait_for(lambda: committed(settings) == first + again)
    assert worker.stop() == 0
    assert_once(settings, records=first + again)


def test_a_partition_without_records_keeps_what_it_has_read_of_the_changelog(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    records = ingest.send(requests[:20])
    wait_for(lambda: committed(settings) == records)
    wait_for(lambda: stored(settings) > 0)
    worker.kill()
    shutil.rmtree(settings.home / "state")
    worker.start()
    # No batch comes.
    wait_for(lambda: stored(settings) > 0, each=worker.assert_alive)
    worker.kill()
    # Not by the worker's lines, of which only the first of a kind is written.
    kept = {number: kept_until(settings, number) for number in range(settings.partitions)}
    assert kept == end_offsets(settings, topics(settings).changelog)


HURRIED = str(Path(__file__).with_name("hurried_worker.py"))


@pytest.mark.parametrize(
    ("program", "line"),
    [(("-m", "pipeline"), "the changelog is read: the last"), ((HURRIED,), "read a part")],
    ids=["at once", "in parts"],
)
def test_a_worker_without_local_state_has_all_that_the_one_before_had(
    settings: Settings,
    ingest: BeaconProducer,
    requests: list[Accepted],
    worker: Verb,
    *,
    program: tuple[str, ...],
    line: str,
) -> None:
    half = len(requests) // 2
    first = ingest.send(requests[:half])
    wait_for(lambda: committed(settings) == first)
    worker.kill()
    shutil.rmtree(settings.home / "state")
    # The same requests again: a worker that remembers finds nothing new in them.
    again = ingest.send(requests[:half])
    bare = Verb("worker", settings, "bare", program=program)
    try:
        wait_for(lambda: committed(settings) == first + again, each=bare.assert_alive)
        assert bare.stop() == 0
    finally:
        bare.kill()
    assert line in bare.said()
    assert "Traceback" not in bare.said()
    assert_once(settings, records=first + again)


def assert_once(settings: Settings, *, records: int) -> None:
    """Each of so many records has an outcome, and of these no event is counted twice."""
    found: dict[tuple[int, int], Outcome] = {}
    for outcome in outcomes(settings):
        found.setdefault((outcome.origin.partition, outcome.origin.offset), outcome)
    assert len(found) == records
    facts = [msgspec.json.decode(fact)["event_key"] for o in found.values() for fact in o.facts]
    assert len(set(facts)) == len(facts) > 0


def kept_until(settings: Settings, number: int) -> int:
    """The offset of the changelog in the store of a worker that was killed."""
    with lmdb.open(str(settings.home / "state" / f"{number}-0"), readonly=True, lock=False) as env:
        known = env.begin().get(META_KEY)
    return msgspec.json.decode(known, type=Meta).offset if known else 0


def stored(settings: Settings) -> int:
    """Devices in the stores on the disk, as the worker's figures have them."""
    return sum(one.devices or 0 for one in state_sizes(settings))


def test_other_rules_or_a_new_topic_are_refused(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    records = ingest.send(requests[:20])
    wait_for(lambda: committed(settings) == records)
    assert worker.stop() == 0
    others = settings.model_copy(update={"session_gap": timedelta(minutes=20)})
    refused(others, "the state was made by other rules")

    beacons = topics(settings).beacons.name
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([beacons])[beacons].result(30)
    wait_for(lambda: beacons in create_topics(settings))
    # Kafka deletes a topic's commits with it.
    refused(settings, "beacons was recreated, or the group's commits were deleted")


def test_state_without_a_commit_is_refused(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    records = ingest.send(requests[:20])
    wait_for(lambda: committed(settings) == records)
    assert worker.stop() == 0
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_consumer_groups([group(settings)])[group(settings)].result(30)
    refused(settings, "the group has committed nothing, but")


def test_records_that_retention_deleted_are_never_skipped(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted], worker: Verb
) -> None:
    records = ingest.send(requests[:20])
    wait_for(lambda: committed(settings) == records)
    assert worker.stop() == 0
    ours = topics(settings)
    beacons = ours.beacons
    before = end_offsets(settings, ours.outcomes)
    ingest.send(requests)
    ends = end_offsets(settings, beacons)
    lost = [TopicPartition(beacons.name, number, end - 1) for number, end in ends.items()]
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for future in admin.delete_records(lost).values():
        future.result(30)
    refused(settings, "retention overran the worker")
    after = end_offsets(settings, ours.outcomes)
    # A partition without a commit starts at the beginning of what is left.
    assert [after[number] for number, end in before.items() if end] == [
        *filter(None, before.values())
    ]


def test_batches_that_faust_drops_are_read_again(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted]
) -> None:
    small = settings.model_copy(update={"run_records": 5})
    lossy = Path(__file__).with_name("lossy_worker.py")
    worker = Verb("worker", small, program=[str(lossy)])
    try:
        records = ingest.send(requests)
        wait_for(lambda: committed(settings) == records, each=worker.assert_alive)
        assert worker.stop() == 0
    finally:
        worker.kill()
    assert "lost a batch" in worker.said()
    origins = {(outcome.origin.partition, outcome.origin.offset) for outcome in outcomes(settings)}
    assert len(origins) == records


def test_dropped_batches_that_nothing_follows_are_read_again(
    settings: Settings, ingest: BeaconProducer, requests: list[Accepted]
) -> None:
    lossy = Path(__file__).with_name("lossy_worker.py")
    records = ingest.send(requests)
    # All records are there before it starts: one batch per partition, and nothing behind it.
    worker = Verb("worker all", settings, "worker", program=[str(lossy)])
    try:
        wait_for(lambda: committed(settings) == records, each=worker.assert_alive)
        assert worker.stop() == 0
    finally:
        worker.kill()
    assert "lost a batch" in worker.said()
    assert "reading them again" in worker.said()
    assert "Traceback" not in worker.said()


ASKING = str(Path(__file__).with_name("asking_worker.py"))


@pytest.mark.parametrize("program", [("-m", "pipeline"), (ASKING,)], ids=["idle", "asking"])
def test_a_worker_without_records_stops_silently(
    settings: Settings,
    ingest: BeaconProducer,  # noqa: ARG001  # topics first
    program: tuple[str, ...],
) -> None:
    worker = Verb("worker", settings, program=program)
    try:
        wait_for(lambda: "processing" in worker.said())
        assert worker.stop() == 0
    finally:
        worker.kill()
    assert "processing" in worker.said().splitlines()[-1]


def test_a_worker_whose_kafka_is_gone_still_stops(
    settings: Settings, tmp_path: Path, cache: Path
) -> None:
    with Broker(tmp_path / "own", cache) as broker:
        own = settings.model_copy(update={"kafka_bootstrap_servers": broker.bootstrap_servers})
        create_topics(own)
        worker = Verb("worker", own)
        wait_for(lambda: "processing" in worker.said())
        broker.kill()
        assert worker.stop() in (0, 1)
        assert "Traceback" not in worker.said()
