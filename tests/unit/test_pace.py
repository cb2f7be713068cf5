"""Windows of event time that `pipeline send` keeps apart."""

from __future__ import annotations

from pipeline.replay.pacing import Pacing

HOUR = 3_600_000
BEGIN = 1_750_000_000_000


def opened(*times: object) -> list[bool]:
    pace = Pacing()
    return [pace.opens_window(at) for at in times]


def test_a_window_is_closed_at_both_ends() -> None:
    assert opened(BEGIN, BEGIN + HOUR, BEGIN + HOUR + 1) == [False, False, True]


def test_one_event_far_ahead_does_not_end_the_pacing() -> None:
    far = BEGIN + 10 * 365 * 24 * HOUR
    later = [BEGIN + number * 2 * HOUR for number in range(1, 5)]
    assert opened(BEGIN, far, *later) == [False, True, False, True, True, True]


def test_time_that_goes_back_waits_for_nothing_and_is_paced_from_there() -> None:
    shard = [BEGIN + number * 2 * HOUR for number in range(4)]
    assert opened(*shard, *shard) == [False, True, True, True, False, True, True, True]


def test_what_is_a_little_out_of_order_opens_no_window() -> None:
    assert opened(BEGIN, BEGIN - HOUR, BEGIN + HOUR) == [False, False, False]


def test_a_time_that_cannot_be_read_opens_no_window() -> None:
    assert opened("", BEGIN, "yesterday", BEGIN + 2 * HOUR) == [False, False, False, True]
