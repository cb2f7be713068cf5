"""Rules T1-T8."""

import pytest
from factories import DAY, HOUR, MINUTE, MORNING, Log, cart, click, make_event

from pipeline.domain.events import is_too_old
from pipeline.domain.values import epoch_ms

NOVEMBER = 1_764_000_000_000  # 2025-11-24T16:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-24T16:00:00Z",
        "2025-11-24T16:00:00.000Z",
        "2025-11-24T16:00:00",
        "2025-11-24T21:30:00+05:30",
        NOVEMBER,
    ],
)
def test_t1_every_form_of_one_moment_is_that_moment(text: str | int) -> None:
    assert epoch_ms(text) == NOVEMBER


@pytest.mark.parametrize("wrong", ["yesterday", "", "1764000000", 1.5, True, None, 10**18])
def test_t1_what_is_no_moment_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|integer|years"):
        epoch_ms(wrong)


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
