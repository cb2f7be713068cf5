"""Bounds on time cover what they are asked for, and not much more (decision 0028)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.warehouse.load.near import CLOSE, MOST, Near, Overlapping, Range, joined

START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive, and UTC
TICK = timedelta(milliseconds=1)
# Minutes; many of them at the bound of what is close.
LENGTHS = st.sampled_from([0, 0, 1, 59, 60, 61, 600, 100_000])


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def ms(minute: float) -> int:
    return round(minute * 60_000)


@st.composite
def spans(draw: st.DrawFn) -> list[Range]:
    """Ranges that touch, overlap, hold each other, or lie apart, in any order."""
    found, since = [], 0
    for step, length in draw(st.lists(st.tuples(LENGTHS, LENGTHS), max_size=40)):
        since += step
        found.append((ms(since), ms(since + length)))
    return draw(st.permutations(found))


def covered(ranges: list[Range], since: int, until: int) -> bool:
    return any(first <= since and until <= last for first, last in ranges)


@given(spans(), st.integers(1, 5))
def test_ranges_joined_cover_all_and_are_few_in_order_and_apart(
    ranges: list[Range], most: int
) -> None:
    found = joined(ranges, most=most)
    assert len(found) <= most
    assert all(covered(found, since, until) for since, until in ranges)
    assert all(since <= until for since, until in found)
    assert all(before[1] + CLOSE < after[0] for before, after in pairwise(found))


@given(spans(), st.integers(1, 5))
def test_ranges_joined_begin_and_end_where_one_of_them_does(ranges: list[Range], most: int) -> None:
    for since, until in joined(ranges, most=most):
        assert since in {first for first, _ in ranges}
        assert until in {last for _, last in ranges}


@given(spans(), st.integers(1, 5))
def test_the_widest_gaps_stay(ranges: list[Range], most: int) -> None:
    every = gaps(joined(ranges, most=len(ranges) or 1))
    kept = gaps(joined(ranges, most=most))
    assert all(gap in every for gap in kept)
    # Of gaps as wide as each other none stays, or there would be too many.
    wider = [gap for gap in every if every.count(gap) + sum(one > gap for one in every) < most]
    assert sorted(kept) == sorted(wider)


def gaps(ranges: list[Range]) -> list[int]:
    return [after[0] - before[1] for before, after in pairwise(ranges)]


def test_ranges_within_what_is_close_are_one_and_those_beyond_are_two() -> None:
    first, close = (ms(0), ms(10)), CLOSE
    assert joined([first, (ms(10) + close, ms(200))]) == [(ms(0), ms(200))]
    beyond = (ms(10) + close + 1, ms(200))
    assert joined([beyond, first]) == [first, beyond]


def test_a_range_within_another_does_not_end_it() -> None:
    assert joined([(ms(0), ms(500)), (ms(10), ms(20)), (ms(550), ms(560))]) == [(ms(0), ms(560))]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("CREATE TABLE asked (since TIMESTAMP, until TIMESTAMP)")
        yield made


def ask(connection: duckdb.DuckDBPyConnection, *ranges: tuple[datetime | None, Any]) -> None:
    connection.executemany("INSERT INTO asked VALUES ($1, $2)", [list(one) for one in ranges])


def holds(connection: duckdb.DuckDBPyConnection, test: str, *values: Any) -> bool:
    return bool(connection.execute(f"SELECT {test}", list(values)).fetchall()[0][0])


ASKED = "SELECT since, until FROM asked"


def test_near_is_within_a_range_and_at_both_of_its_ends(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    ask(connection, (at(0), at(10)), (at(500), at(500)), (None, None))
    Near("near_it", ASKED).define(connection)
    inside = [at(0), at(5), at(10), at(500)]
    outside = [at(0) - TICK, at(10) + TICK, at(500) - TICK, at(500) + TICK]
    assert all(holds(connection, "near_it($1)", moment) for moment in inside)
    assert not any(holds(connection, "near_it($1)", moment) for moment in outside)


def test_near_and_overlapping_are_false_where_nothing_is_asked(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for some in ([], [(None, None)]):
        ask(connection, *some) if some else None
        Near("near_it", ASKED).define(connection)
        Overlapping("overlaps_it", ASKED).define(connection)
        assert not holds(connection, "near_it($1)", at(0))
        assert not holds(connection, "overlaps_it($1, $2)", at(0), at(1))


def test_near_follows_what_is_asked_now(connection: duckdb.DuckDBPyConnection) -> None:
    near = Near("near_it", ASKED)
    near.define(connection)
    ask(connection, (at(0), at(0)))
    near.define(connection)
    assert holds(connection, "near_it($1)", at(0))


def test_near_days_are_whole_days(connection: duckdb.DuckDBPyConnection) -> None:
    ask(connection, (at(0), at(0)))
    Near("near_it", "SELECT CAST(since AS DATE), CAST(until AS DATE) FROM asked", "DATE").define(
        connection
    )
    assert holds(connection, "near_it($1)", date(2026, 1, 1))
    assert not holds(connection, "near_it($1)", date(2026, 1, 2))
    assert not holds(connection, "near_it($1)", date(2025, 12, 31))


def test_near_ranges_of_one_hour_end_where_the_last_of_them_does(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    ask(connection, (at(1), at(300)), (at(2), at(20)), (at(0), at(3)))
    Near("near_it", ASKED).define(connection)
    assert holds(connection, "near_it($1)", at(0))
    assert holds(connection, "near_it($1)", at(300))


def test_near_of_many_has_few_ranges(connection: duckdb.DuckDBPyConnection) -> None:
    ask(connection, *((at(10_000 * number), at(10_000 * number)) for number in range(3 * MOST)))
    Near("near_it", ASKED).define(connection)
    (text,) = connection.execute(
        "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'near_it'"
    ).fetchall()[0]
    assert text.count("BETWEEN") <= MOST


@pytest.mark.parametrize(
    ("start", "finish", "overlaps"),
    [(-20, -0.1, False), (-20, 0, True), (100, 110, True), (300, 400, True), (300.1, 400, False)],
    ids=["before", "at the start", "between", "at the end", "after"],
)
def test_a_span_overlaps_up_to_both_ends(
    connection: duckdb.DuckDBPyConnection, start: float, finish: float, *, overlaps: bool
) -> None:
    ask(connection, (at(200), at(300)), (at(0), at(5)))
    Overlapping("overlaps_it", ASKED).define(connection)
    assert holds(connection, "overlaps_it($1, $2)", at(start), at(finish)) == overlaps


def test_near_the_first_times_that_a_client_can_send(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    ask(connection, (datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001  # UTC
    spans = "SELECT since - INTERVAL 26 HOURS, until + INTERVAL 7 DAYS FROM asked"
    Near("near_it", spans).define(connection)
    Overlapping("overlaps_it", spans).define(connection)
    assert holds(connection, "near_it($1)", datetime(1, 1, 1))  # noqa: DTZ001  # UTC
    assert holds(connection, "overlaps_it($1, $1)", datetime(9999, 12, 31))  # noqa: DTZ001  # UTC
    days = "SELECT CAST(since - INTERVAL 26 HOURS AS DATE), CAST(since AS DATE) FROM asked"
    Near("near_days", days, "DATE").define(connection)
    assert holds(connection, "near_days(CAST($1 AS DATE))", date(1, 1, 1))
