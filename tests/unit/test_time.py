"""Rules T1 to T9."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from factories import DAY, HOUR, MINUTE, MORNING, Log, cart, click, make_event
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.events import is_too_old
from pipeline.domain.timestamps import common_time, read_time
from pipeline.domain.values import BadValueError

CASES = tomllib.loads((Path(__file__).parent / "timestamps.toml").read_text())["time"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["given"]))
def test_t9_the_quick_way_reads_no_spelling_otherwise(case: dict[str, Any]) -> None:
    try:
        found = common_time(str(case["given"]))
    except BadValueError:
        return
    assert read_time(case["given"]) == (found, False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["given"]))
def test_t9_each_spelling_is_one_moment_or_none(case: dict[str, Any]) -> None:
    if not case["moment"]:
        with pytest.raises(BadValueError):
            read_time(case["given"])
        return
    moment, is_more = read_time(case["given"])
    utc = datetime(1970, 1, 1) + timedelta(milliseconds=moment)  # noqa: DTZ001  # as it is written
    assert utc.isoformat(timespec="milliseconds") == case["moment"]
    assert is_more is case.get("more", False)


@pytest.mark.parametrize(
    "number",
    [10**30, 10**5000, float("inf"), float("nan"), None, []],
    ids=["huge", "too long for a text", "infinite", "nan", "nothing", "a list"],
)
def test_t9_what_toml_cannot_write_is_no_time_either(number: object) -> None:
    with pytest.raises(BadValueError):
        read_time(number)


@given(st.text("0123456789-:TtZz+., W\u0661", min_size=8, max_size=26) | st.datetimes().map(str))
def test_t9_the_quick_way_reads_what_the_other_reads(text: str) -> None:
    for each in (text, f"{text[:10]}T{text[11:19]}Z", f"{text[:10]}T{text[11:23]}Z"):
        try:
            moment = common_time(each)
        except BadValueError:
            continue
        assert read_time(each) == (moment, False)


def test_t3_a_clock_five_minutes_ahead_is_believed_and_a_millisecond_more_is_not() -> None:
    at = MORNING
    believed = Log().send(make_event(minute=5), received_at=at)
    doubted = Log().send(make_event(minute=5, ms=1), received_at=at)
    assert b'"occurred_at":%d' % (at + 5 * MINUTE) in bytes(believed.facts[0])
    assert b'"occurred_at":%d' % at in bytes(doubted.facts[0])
    assert b'"is_clock_skewed":true' in bytes(doubted.facts[0])
    assert b"is_clock_skewed" not in bytes(believed.facts[0])


def test_t4_thirty_days_are_accepted_and_a_millisecond_more_is_not() -> None:
    assert not is_too_old(MORNING - 30 * DAY, received_at=MORNING)
    assert is_too_old(MORNING - 30 * DAY - 1, received_at=MORNING)


def test_t5_a_click_and_a_cart_of_one_millisecond_are_click_first() -> None:
    log = Log()
    log.send(cart(0, "token"), click(0, "token"))
    assert log.paths() == [("direct", ["token"])]


def test_t6_a_clock_one_year_ahead_moves_nothing() -> None:
    log = Log()
    log.send(make_event(minute=0))
    after = log.send(make_event(minute=365 * 24 * 60), received_at=MORNING + MINUTE)
    assert after.stream_time_after == MORNING + MINUTE


def test_t6_duplicates_move_stream_time_as_all_events_do() -> None:
    log = Log()
    log.send(make_event(minute=0, event_id="same"))
    repeated = log.send(make_event(minute=60, event_id="same"))
    assert repeated.duplicates
    assert repeated.stream_time_after == MORNING + HOUR


def test_t7_exactly_the_lateness_is_not_late_and_a_millisecond_more_is() -> None:
    log = Log()
    log.send(make_event(minute=0))
    in_time = log.send(make_event(ms=-72 * HOUR))
    late = log.send(make_event(ms=-72 * HOUR - 1))
    assert (len(in_time.facts), len(in_time.late)) == (1, 0)
    assert (len(late.facts), len(late.late)) == (0, 1)


def test_t7_a_late_event_touches_no_state() -> None:
    log = Log()
    log.send(make_event(minute=0), device="d:other")
    late = log.send(click(minute=-4 * 24 * 60))
    assert late.late
    assert not late.sessions
    assert not late.conversions


def test_t7_all_events_of_a_record_are_judged_by_the_stream_time_before_it() -> None:
    log = Log()
    outcome = log.send(make_event(minute=0), make_event(minute=-4 * 24 * 60))
    assert len(outcome.facts) == 2


def test_t8_a_received_at_over_five_minutes_past_the_append_counts_as_that() -> None:
    outcome = Log().send(
        make_event(minute=600), received_at=MORNING + 600 * MINUTE, appended_at=MORNING
    )
    assert outcome.received_at == MORNING + 5 * MINUTE
    assert b'"occurred_at":%d' % (MORNING + 5 * MINUTE) in bytes(outcome.facts[0])


def test_t6_the_latest_event_of_a_record_moves_stream_time_wherever_it_stands() -> None:
    for minutes in ((0, 5, 2), (5, 2, 0), (0, 2, 5)):
        log = Log()
        log.send(*(make_event(minute=minute) for minute in minutes))
        assert log.stream_time == MORNING + 5 * MINUTE
