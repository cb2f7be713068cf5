"""What the stream makes of a record that erases a device (E1, E2)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from factories import MINUTE, MORNING, Log, all_before_is_late, cart, click, make_event, purchase
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_log import PartitionLog

from pipeline.domain.device import Device, decode, encode, forget
from pipeline.domain.events import BACKFILL_LIMIT_MS, erased_until
from pipeline.domain.rules import Rules

RULES = Rules(lateness=timedelta(hours=1), lookback=timedelta(hours=2))


def test_e1_nothing_of_the_device_stays_in_the_state() -> None:
    log = Log(msgspec.structs.replace(RULES, most_keys=3))
    log.send(click(0), cart(1), purchase(2), make_event(minute=3))
    (device,) = log.devices.values()
    assert device.keys
    assert device.over_limit_until
    outcome = log.erase(10)
    assert device == Device(origin=1, erased_at=MORNING + 10 * MINUTE)
    assert outcome.erased_at == MORNING + 10 * MINUTE
    assert outcome.erased == 0


def test_e1_a_second_one_never_ends_earlier() -> None:
    log = Log(RULES)
    log.erase(10)
    assert log.erase(5).erased_at == MORNING + 10 * MINUTE
    assert log.erase(15).erased_at == MORNING + 15 * MINUTE


@given(
    appended=st.integers(0, 60),
    received_ahead=st.integers(-60, 60),
    ahead=st.integers(-100, 3000),
)
def test_e1_no_event_before_the_record_is_later(
    appended: int, received_ahead: int, ahead: int
) -> None:
    """In minutes: Kafka's clock, ingest's before it, the device's before that."""
    appended_at = MORNING + appended * MINUTE
    log = Log(RULES)
    received_at = appended_at + received_ahead * MINUTE
    event = make_event(minute=appended + received_ahead + ahead)
    log.send(event, received_at=received_at, appended_at=appended_at)
    (fact,) = log.outcomes[0].facts
    occurred_at = msgspec.json.decode(fact)["occurred_at"]
    assert occurred_at <= erased_until(appended_at)


def test_e2_events_up_to_it_are_erased_and_counted_and_later_ones_are_a_new_devices() -> None:
    log = Log(RULES)
    seen = make_event(minute=0)
    log.send(seen, click(1), device="d:device")
    log.erase(10)
    outcome = log.send(
        seen, make_event(minute=9), make_event(minute=10), make_event(minute=10, ms=1), cart(11)
    )
    assert outcome.erased == 3
    assert len(outcome.facts) == 2
    assert outcome.duplicates == []
    # The click before it claims nothing.
    assert [row.match for row in outcome.conversions] == ["none"]
    assert [(row.started_at, row.events) for row in outcome.sessions] == [
        (MORNING + 10 * MINUTE + 1, 2)
    ]


def test_e2_a_late_one_is_erased_too_and_each_moves_stream_time() -> None:
    log = Log(RULES)
    log.erase(90)
    assert log.send(make_event(minute=80)).stream_time_after == MORNING + 80 * MINUTE
    outcome = log.send(make_event(minute=0), received_at=MORNING + 80 * MINUTE)
    assert (outcome.erased, outcome.late) == (1, [])


def test_e2_other_devices_and_stores_go_on() -> None:
    log = Log(RULES)
    log.erase(10)
    assert log.send(make_event(minute=0), device="d:other").facts
    assert log.send(make_event(minute=0), store="other").facts
    assert log.send(make_event(minute=0), device="s:device").facts


@pytest.mark.parametrize(("minute", "erased", "failed"), [(10, 1, 0), (11, 0, 1)])
def test_e2_what_fails_is_erased_by_when_it_was_received(
    minute: int, erased: int, failed: int
) -> None:
    log = Log(RULES)
    log.erase(10)
    unknown = make_event(minute=5, quantity="unreadable")
    at = MORNING + minute * MINUTE
    outcome = log.send(unknown, received_at=at)
    assert (outcome.erased, len(outcome.failed)) == (erased, failed)


def test_e2_the_state_keeps_it_for_as_long_as_an_event_may_be_sent_without_backfill() -> None:
    device = Device(erased_at=MORNING)
    forget(device, horizon=MORNING + BACKFILL_LIMIT_MS, rules=RULES)
    assert device.erased_at == MORNING
    assert not device.is_empty()
    forget(device, horizon=MORNING + BACKFILL_LIMIT_MS + 1, rules=RULES)
    assert device.is_empty()


def test_e2_then_what_comes_is_late() -> None:
    log = Log(RULES)
    log.erase(10)
    month = BACKFILL_LIMIT_MS // MINUTE
    all_before_is_late(log, 10 + month + 1)
    log.forget()
    outcome = log.send(make_event(minute=10), received_at=MORNING + (month + 11) * MINUTE)
    assert (outcome.erased, len(outcome.late), outcome.sessions) == (0, 1, [])


def test_a_state_of_an_earlier_version_is_read() -> None:
    seen = Device(origin=7, keys={b"key": (1, b"payload")}, over_limit_until=3)
    value = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(seen))[:-1])
    assert decode(value) == seen


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from(["outcomes", "states", "commit"])),
        max_size=12,
    )
)
def test_e1_a_crash_anywhere_leaves_the_same_outcomes(steps: list[tuple[int, str]]) -> None:
    log = PartitionLog(RULES)
    for minute in range(4):
        log.send(click(minute), device="d:device")
        log.send(cart(minute), device="d:other")
    log.erase(2)
    for minute in range(4):
        log.send(cart(minute), device="d:device")
    alone = PartitionLog(RULES, beacons=log.beacons)
    alone.run(alone.assigned())
    partition = log.assigned()
    for size, until in steps:
        log.run(partition, size, until=until)
        if until != "commit":
            partition = log.assigned()
    while log.run(partition, 2):
        pass
    assert log.accepted() == alone.outcomes
    assert [outcome.erased for outcome in alone.outcomes[-4:]] == [1, 1, 1, 0]


def test_e2_once_it_is_forgotten_the_changelog_does_not_name_the_device() -> None:
    log = PartitionLog(RULES)
    log.send(click(0), device="d:device")
    log.erase(2, device="d:device")
    log.send(make_event(minute=10 + 2 * BACKFILL_LIMIT_MS / MINUTE), device="d:other")
    partition = log.assigned()
    while log.run(partition, 1):
        pass
    log.send(make_event(minute=10 + 2 * BACKFILL_LIMIT_MS / MINUTE), device="d:other")
    log.run(partition)
    assert [key for key in log.state() if b"d:device" in key] == []
    assert [key for key in log.state() if b"d:other" in key]


def test_e3_the_device_is_left_to_the_warehouse_until_nothing_of_before_can_be_reached() -> None:
    log = Log(RULES)
    log.send(click(0), cart(90))
    outcome = log.erase(10, customer="ann")
    assert (outcome.erased_at, outcome.erased_customer) == (MORNING + 10 * MINUTE, "ann")
    (device,) = log.devices.values()
    # Its last event, and the lookback.
    assert device == Device(origin=1, over_limit_until=MORNING + 210 * MINUTE)
    assert log.send(make_event(minute=95)).late
    all_before_is_late(log, 210)
    assert log.send(make_event(minute=260)).late
    # And what was late, too.
    all_before_is_late(log, 261)
    assert log.send(make_event(minute=270)).facts
