"""How a batch is made durable (architecture), with a crash between any two of its steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import DAY, MINUTE, MORNING, cart, click, make_event, purchase
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import FakeRecord, Topic, checkpoint

from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import StateError, read_checkpoint

HOUR_LATE = Rules(lateness=timedelta(hours=1), lookback=timedelta(hours=2))


def shopping(topic: Topic, devices: int = 3, rounds: int = 4) -> Topic:
    for minute in range(rounds):
        for number in range(devices):
            events = [
                make_event(minute=minute * 20 + number),
                click(minute * 20 + number),
                cart(minute * 20 + number, "token"),
            ]
            topic.send(*events[: 1 + (minute + number) % 3], device=f"d:{number}")
    return topic


def undisturbed(topic: Topic) -> Topic:
    alone = Topic(topic.rules, beacons=topic.beacons)
    alone.run(alone.assigned())
    return alone


@pytest.mark.parametrize("size", [1, 2, 5, None])
def test_batch_boundaries_change_nothing(size: int | None) -> None:
    topic = shopping(Topic())
    partition = topic.assigned()
    while topic.run(partition, size):
        pass
    assert topic.outcomes == undisturbed(topic).outcomes
    assert topic.commit == undisturbed(topic).commit


def test_state_survives_an_assignment_by_its_changelog() -> None:
    topic = Topic()
    topic.send(click(0, "token"))
    topic.run(topic.assigned())
    topic.send(purchase(5))
    topic.run(topic.assigned())
    assert [row.match for row in topic.outcomes[1].conversions] == ["carried"]


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
    topic = shopping(Topic())
    partition = topic.assigned()
    for size, until, dies in steps:
        # A batch that is not committed dies with the process; it may also die after a commit.
        topic.run(partition, size, until=until)
        if dies or until != "commit":
            partition = topic.assigned()
    while topic.run(partition, 2):
        pass
    assert topic.accepted() == undisturbed(topic).outcomes


@given(
    forget=st.integers(0, 8),
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    paused=st.integers(0, 4),
)
@settings(deadline=None, max_examples=150)
def test_a_paused_owner_that_writes_on_changes_nothing(
    forget: int, sizes: list[int], paused: int
) -> None:
    topic = shopping(Topic(HOUR_LATE), rounds=6)
    stale = topic.assigned()
    topic.run(stale, 2)
    for _ in range(paused):
        owner = topic.assigned()
        for size in sizes:
            topic.run(owner, size)
        # The former owner wakes up: Kafka accepts its records, the group refuses its commit.
        topic.run(stale, forget + 1, until="states")
    owner = topic.assigned()
    while topic.run(owner, 3):
        pass
    assert topic.accepted() == undisturbed(topic).outcomes


def test_a_skipped_record_moves_stream_time() -> None:
    topic = Topic()
    topic.send(make_event(minute=0))
    topic.send(make_event(minute=90))
    topic.run(topic.assigned(), until="states")
    again = topic.assigned()
    topic.run(again)
    assert len(topic.outcomes) == 2
    assert topic.commit.stream_time == MORNING + 90 * MINUTE


def test_a_device_with_nothing_left_gets_its_tombstone_once_its_origin_is_committed() -> None:
    topic = Topic(HOUR_LATE)
    topic.send(make_event(minute=0), device="d:old")
    partition = topic.assigned()
    topic.run(partition)
    topic.send(make_event(minute=24 * 60), device="d:new")
    topic.run(partition)
    topic.send(make_event(minute=24 * 60 + 1), device="d:new")
    topic.run(partition)
    assert [key[16:] for key in topic.state()] == [topic.beacons[1].key]
    assert len(partition) == 1


def test_a_device_with_nothing_left_keeps_its_state_while_its_records_may_be_read_again() -> None:
    topic = Topic(HOUR_LATE)
    topic.send(make_event(minute=0), device="d:old")
    partition = topic.assigned()
    topic.run(partition)
    topic.send(make_event(minute=1), device="d:old")
    topic.send(make_event(minute=24 * 60), device="d:new")
    topic.run(partition, until="states")
    topic.run(topic.assigned())
    assert [outcome.origin.offset for outcome in topic.outcomes] == [0, 1, 2]


def test_a_device_taken_over_loses_the_key_of_its_former_writer_after_its_own() -> None:
    topic = Topic()
    topic.send(make_event(minute=0))
    topic.run(topic.assigned())
    second = topic.assigned()
    topic.send(make_event(minute=1))
    topic.run(second)
    assert len(topic.state()) == 2
    topic.send(make_event(minute=2), device="d:other")
    topic.run(second)
    assert {key[:16] for key in topic.state()} == {second.writer}


def test_recovered_devices_that_never_come_back_are_forgotten_too() -> None:
    topic = Topic(HOUR_LATE)
    for number in range(5):
        topic.send(make_event(minute=number), device=f"d:{number}")
    topic.run(topic.assigned())
    later = topic.assigned()
    for minute in range(3):
        topic.send(make_event(minute=24 * 60 + minute), device="d:new")
        topic.run(later)
    assert len(topic.state()) == 1


def test_a_jump_is_refused() -> None:
    partition = Topic(commit=checkpoint(3)).assigned()
    with pytest.raises(StateError, match=r"partition 0: offset 3 of beacons was expected.*5-6"):
        partition.new_records([FakeRecord(5, b"", b""), FakeRecord(6, b"", b"")])
    with pytest.raises(StateError, match="3-5 with 2 records"):
        partition.new_records([FakeRecord(3, b"", b""), FakeRecord(5, b"", b"")])


def test_redelivered_records_of_a_batch_are_skipped() -> None:
    partition = Topic(commit=checkpoint(3)).assigned()
    records = [FakeRecord(offset, b"", b"") for offset in range(2, 5)]
    assert [record.offset for record in partition.new_records(records)] == [3, 4]
    assert not partition.new_records(records[:1])


def test_an_unreadable_record_has_an_outcome() -> None:
    topic = Topic()
    topic.beacons = [FakeRecord(0, b"key", b"\xff"), FakeRecord(1, b"key", None)]
    topic.run(topic.assigned())
    assert [len(outcome.failed) for outcome in topic.outcomes] == [1, 1]


def test_a_checkpoint_survives_its_commit() -> None:
    made = checkpoint(7, MORNING + DAY)
    assert read_checkpoint(7, made.metadata(), partition=0) == made


@pytest.mark.parametrize("metadata", ["", "{}", "x", checkpoint(6).metadata()])
def test_a_commit_of_another_program_is_refused(metadata: str) -> None:
    with pytest.raises(StateError, match="partition 2: the commit at offset 7 carries no stream"):
        read_checkpoint(7, metadata, partition=2)


def test_other_rules_or_another_topic_are_refused() -> None:
    with pytest.raises(StateError, match="other rules"):
        checkpoint(0).refuse_mismatch(topic_id="topic", rules="0" * 16, partition=0)
    with pytest.raises(StateError, match="beacons was recreated"):
        checkpoint(0).refuse_mismatch(topic_id="new", rules=checkpoint(0).rules, partition=0)
