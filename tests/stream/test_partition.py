"""How a batch is made durable (architecture), with a crash between any two of its steps."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from factories import DAY, MINUTE, MORNING, cart, click, make_event, purchase
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import FakeRecord, PartitionLog, checkpoint

from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import StateError, read_checkpoint

HOUR_LATE = Rules(lateness=timedelta(hours=1), lookback=timedelta(hours=2))


def shopping(log: PartitionLog, devices: int = 3, rounds: int = 4) -> PartitionLog:
    for minute in range(rounds):
        for number in range(devices):
            events = [
                make_event(minute=minute * 20 + number),
                click(minute * 20 + number),
                cart(minute * 20 + number, "token"),
            ]
            log.send(*events[: 1 + (minute + number) % 3], device=f"d:{number}")
    return log


def undisturbed(log: PartitionLog) -> PartitionLog:
    alone = PartitionLog(log.rules, beacons=log.beacons)
    alone.run(alone.assigned())
    return alone


@pytest.mark.parametrize("size", [1, 2, 5, None])
def test_batch_boundaries_change_nothing(size: int | None) -> None:
    log = shopping(PartitionLog())
    partition = log.assigned()
    while log.run(partition, size):
        pass
    assert log.outcomes == undisturbed(log).outcomes
    assert log.commit == undisturbed(log).commit


def test_state_survives_an_assignment_by_its_changelog() -> None:
    log = PartitionLog()
    log.send(click(0, "token"))
    log.run(log.assigned())
    log.send(purchase(5))
    log.run(log.assigned())
    assert [row.match for row in log.outcomes[1].conversions] == ["carried"]


@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 5),
            st.sampled_from(["outcomes", "states", "commit"]),
            st.booleans(),
        ),
        max_size=30,
    )
)
@settings(deadline=None, max_examples=150)
def test_a_crash_anywhere_leaves_the_same_outcomes(steps: list[tuple[int, str, bool]]) -> None:
    log = shopping(PartitionLog())
    partition = log.assigned()
    for size, until, dies in steps:
        # A batch that is not committed dies with the process; it may also die after a commit.
        log.run(partition, size, until=until)
        if dies or until != "commit":
            partition = log.assigned()
    while log.run(partition, 2):
        pass
    assert log.accepted() == undisturbed(log).outcomes


@given(
    forget=st.integers(0, 8),
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    paused=st.integers(0, 4),
)
@settings(deadline=None, max_examples=150)
def test_a_paused_owner_that_writes_on_changes_nothing(
    forget: int, sizes: list[int], paused: int
) -> None:
    log = shopping(PartitionLog(HOUR_LATE), rounds=6)
    stale = log.assigned()
    log.run(stale, 2)
    for _ in range(paused):
        owner = log.assigned()
        for size in sizes:
            log.run(owner, size)
        # The former owner wakes up: Kafka accepts its records, the group refuses its commit.
        log.run(stale, forget + 1, until="states")
    owner = log.assigned()
    while log.run(owner, 3):
        pass
    assert log.accepted() == undisturbed(log).outcomes


def test_a_skipped_record_moves_stream_time() -> None:
    log = PartitionLog()
    log.send(make_event(minute=0))
    log.send(make_event(minute=90))
    log.run(log.assigned(), until="states")
    again = log.assigned()
    log.run(again)
    assert len(log.outcomes) == 2
    assert log.commit.stream_time == MORNING + 90 * MINUTE


def test_a_device_with_nothing_left_gets_its_tombstone_once_its_origin_is_committed() -> None:
    log = PartitionLog(HOUR_LATE)
    log.send(make_event(minute=0), device="d:old")
    partition = log.assigned()
    log.run(partition)
    log.send(make_event(minute=24 * 60), device="d:new")
    log.run(partition)
    log.send(make_event(minute=24 * 60 + 1), device="d:new")
    log.run(partition)
    assert [key[16:] for key in log.state()] == [log.beacons[1].key]
    assert len(partition) == 1


def test_a_device_with_nothing_left_keeps_its_state_while_its_records_may_be_read_again() -> None:
    log = PartitionLog(HOUR_LATE)
    log.send(make_event(minute=0), device="d:old")
    partition = log.assigned()
    log.run(partition)
    log.send(make_event(minute=1), device="d:old")
    log.send(make_event(minute=24 * 60), device="d:new")
    log.run(partition, until="states")
    log.run(log.assigned())
    assert [outcome.origin.offset for outcome in log.outcomes] == [0, 1, 2]


def test_a_device_taken_over_loses_the_key_of_its_former_writer_after_its_own() -> None:
    log = PartitionLog()
    log.send(make_event(minute=0))
    log.run(log.assigned())
    second = log.assigned()
    log.send(make_event(minute=1))
    log.run(second)
    assert len(log.state()) == 2
    log.send(make_event(minute=2), device="d:other")
    log.run(second)
    assert {key[:16] for key in log.state()} == {second.devices.writer}


def test_recovered_devices_that_never_come_back_are_forgotten_too() -> None:
    log = PartitionLog(HOUR_LATE)
    for number in range(5):
        log.send(make_event(minute=number), device=f"d:{number}")
    log.run(log.assigned())
    later = log.assigned()
    for minute in range(3):
        log.send(make_event(minute=24 * 60 + minute), device="d:new")
        log.run(later)
    assert len(log.state()) == 1


def test_a_jump_is_refused() -> None:
    partition = PartitionLog(commit=checkpoint(3)).assigned()
    with pytest.raises(StateError, match=r"partition 0: offset 3 of beacons was expected.*5-6"):
        partition.new_records([FakeRecord(5, b"", b""), FakeRecord(6, b"", b"")])
    with pytest.raises(StateError, match="3-5 with 2 records"):
        partition.new_records([FakeRecord(3, b"", b""), FakeRecord(5, b"", b"")])


def test_redelivered_records_of_a_batch_are_skipped() -> None:
    partition = PartitionLog(commit=checkpoint(3)).assigned()
    records = [FakeRecord(offset, b"", b"") for offset in range(2, 5)]
    assert [record.offset for record in partition.new_records(records)] == [3, 4]
    assert not partition.new_records(records[:1])


def test_an_unreadable_record_has_an_outcome() -> None:
    log = PartitionLog()
    log.beacons = [FakeRecord(0, b"key", b"\xff"), FakeRecord(1, b"key", None)]
    log.run(log.assigned())
    assert [len(outcome.failed) for outcome in log.outcomes] == [1, 1]


def test_a_checkpoint_survives_its_commit() -> None:
    made = checkpoint(7, MORNING + DAY)
    assert read_checkpoint(7, made.metadata(), partition=0) == made


@pytest.mark.parametrize("metadata", ["", "{}", "x", checkpoint(6).metadata()])
def test_a_commit_of_another_program_is_refused(metadata: str) -> None:
    with pytest.raises(StateError, match="partition 2: the commit at offset 7 carries no stream"):
        read_checkpoint(7, metadata, partition=2)


def test_another_number_of_partitions_is_refused_unless_an_earlier_version_committed() -> None:
    held = checkpoint(0)
    for partitions in (0, 4, 6):
        made = msgspec.structs.replace(held, partitions=partitions)
        fitting = {"topic_id": "topic", "rules": held.rules, "partition": 0}
        made.refuse_mismatch(**fitting, partitions=partitions or 4)
    with pytest.raises(StateError, match=r"with 6 partitions, now there are 4: .* partitions 4`"):
        made.refuse_mismatch(**fitting, partitions=4)


def test_other_rules_or_another_topic_are_refused() -> None:
    with pytest.raises(StateError, match="other rules"):
        checkpoint(0).refuse_mismatch(topic_id="topic", rules="0" * 16, partition=0, partitions=4)
    with pytest.raises(StateError, match="beacons was recreated"):
        checkpoint(0).refuse_mismatch(
            topic_id="new", rules=checkpoint(0).rules, partition=0, partitions=4
        )
