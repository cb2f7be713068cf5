from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.rate_limit import NO_RATE, Rate, RateLimiter, retry_after

TWO = Rate(per_second=2, burst=3)


def test_a_burst_passes_and_then_as_many_as_the_rate_says() -> None:
    limits = RateLimiter(TWO)
    waits = [limits.wait("a", NO_RATE, now=100) for _ in range(5)]
    assert waits == [0, 0, 0, 0.5, 0.5]
    assert limits.wait("a", NO_RATE, now=100.5) == 0
    assert limits.wait("a", NO_RATE, now=100.5) == 0.5


def test_one_store_takes_nothing_from_another() -> None:
    limits = RateLimiter(Rate(per_second=1, burst=1))
    assert limits.wait("a", NO_RATE, now=0) == 0
    assert limits.wait("a", NO_RATE, now=0) > 0
    assert limits.wait("b", NO_RATE, now=0) == 0


def test_a_stores_own_rate_wins_and_0_is_no_limit() -> None:
    limits = RateLimiter(Rate(per_second=1, burst=1))
    assert [limits.wait("a", Rate(burst=2), now=0) for _ in range(3)] == [0, 0, 1]
    assert not any(limits.wait("b", Rate(per_second=0), now=0) for _ in range(1000))
    assert not any(RateLimiter(Rate(0, 1)).wait("c", NO_RATE, now=0) for _ in range(1000))


def test_a_clock_that_runs_back_refills_nothing_and_forgets_nothing() -> None:
    limits = RateLimiter(Rate(per_second=1, burst=1))
    assert limits.wait("a", NO_RATE, now=100) == 0
    assert limits.wait("a", NO_RATE, now=50) == 1
    assert limits.wait("a", NO_RATE, now=100.5) == 0.5


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=60))
def test_what_passes_in_any_time_is_at_most_the_burst_and_the_rate(pauses: list[float]) -> None:
    limits, now = RateLimiter(TWO), 1000.0
    passed: list[float] = []
    for pause in pauses:
        now += pause
        if not limits.wait("a", NO_RATE, now=now):
            passed.append(now)
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= 3 + 2 * (passed[last] - begin) + 1e-6


def test_the_header_is_whole_seconds_and_enough() -> None:
    assert [retry_after(s) for s in (0.01, 1.0, 1.01)] == [b"1", b"1", b"2"]


def test_a_limit_is_kept_over_a_change_of_the_stores_file() -> None:
    limits = RateLimiter(Rate(1, 1))
    assert limits.wait("a", Rate(1, 5), now=0) == 0
    assert limits.wait("a", Rate(1, 1), now=0) == 0
    assert limits.wait("a", Rate(1, 1), now=0) == 1
