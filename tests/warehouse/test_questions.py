"""Each question of `sql/queries` has the answer that plain Python finds in the facts alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest
from archived import day, freeze
from cookbook import of_arrivals, of_orders, of_visits
from cookbook.past import Asked, Past
from factories import DAY, MORNING, Log, cart, purchase
from warehouse_fixture import RULES, Warehouse

from docs import cookbook
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.parameters import parameters_of
from pipeline.warehouse.queries import ask, questions

Answer = Callable[..., list[tuple[Any, ...]]]
ANSWERS: dict[str, Answer] = {
    name: found
    for module in (of_arrivals, of_orders, of_visits)
    for name, found in vars(module).items()
    if name in questions()
}
# What the snapshot says of itself, behind the columns that are of events.
OF_THE_SNAPSHOT = {"freshness": ["complete_until", "published_at", "late_devices"]}
REFUSED = ("duplicates", "rejected_events", "daily_expired")


@dataclass(frozen=True)
class History:
    """What is asked, of which past, and one store and days of it."""

    connection: duckdb.DuckDBPyConnection
    past: Past
    store: str
    first: date
    last: date
    token: str
    other: str

    def expected(self, name: str, *, is_of_part: bool) -> list[tuple[Any, ...]]:
        takes = parameters_of(name)
        asked = Asked(self.past)
        if is_of_part:
            days = {each: getattr(self, each) for each in ("first", "last") if each in takes}
            asked = Asked(self.past, self.store, **days)
        more = {each: getattr(self, each) for each in ("token", "other") if each in takes}
        return ANSWERS[name](asked, **more)

    def found(self, name: str, *, is_of_part: bool) -> list[tuple[Any, ...]]:
        values = {"token": self.token, "other": self.other}
        if is_of_part:
            first, last = str(self.first), str(self.last)
            values |= {"store": self.store, "first": first, "last": last}
        takes = parameters_of(name)
        answer = ask(self.connection, name, {k: v for k, v in values.items() if k in takes})
        own = OF_THE_SNAPSHOT.get(name, [])
        assert answer.columns[len(answer.columns) - len(own) :] == own
        return [row[: len(row) - len(own)] for row in answer.rows]


def rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    result = connection.execute(f"FROM {table}")
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def past_of(connection: duckdb.DuckDBPyConnection, rules: Rules) -> Past:
    refused = {table: rows(connection, table) for table in REFUSED}
    catalog = rows(connection, "catalog")
    return Past(rows(connection, "events"), rules, catalog=catalog, **refused)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """The traffic that docs/cookbook.md shows."""
    made = cookbook.make_history(tmp_path_factory.mktemp("cookbook"))
    with connect_published(made) as connection:
        past = past_of(connection, Rules())
        days = date(2026, 6, 8), date(2026, 6, 21)
        yield History(connection, past, cookbook.STORE["store"], *days, **cookbook.TOKENS)


@pytest.fixture(scope="module")
def odd(shops: Warehouse) -> History:
    """Few visits, and all that can be wrong with them."""
    day = date(2025, 11, 25)
    past = past_of(shops.connection, RULES)
    return History(shops.connection, past, "story-1", day, day, "red", "blue")


@pytest.fixture(params=["sample", "odd"])
def history(request: pytest.FixtureRequest) -> History:
    made: History = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_question_is_answered_as_plain_python_answers_it(history: History, name: str) -> None:
    expected = history.expected(name, is_of_part=False)
    assert history.found(name, is_of_part=False) == expected != []


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_store_and_days_are_those_that_were_asked_for(history: History, name: str) -> None:
    expected = history.expected(name, is_of_part=True)
    assert history.found(name, is_of_part=True) == expected
    assert expected != history.expected(name, is_of_part=False)


def test_hashes_find_rows_and_decide_nothing(odd: History) -> None:
    asked = [(name, is_of_part) for name in ANSWERS for is_of_part in (False, True)]
    before = [odd.found(name, is_of_part=is_of_part) for name, is_of_part in asked]
    odd.connection.execute("BEGIN")
    try:
        # As if all had the same one.
        odd.connection.execute("UPDATE sessions SET device_key_hash = 1")
        odd.connection.execute(
            "UPDATE order_lines"
            " SET device_key_hash = 1, order_hash = CASE WHEN order_hash IS NOT NULL THEN 1 END"
        )
        assert before == [odd.found(name, is_of_part=is_of_part) for name, is_of_part in asked]
    finally:
        odd.connection.execute("ROLLBACK")


def test_a_cart_is_left_behind_where_the_order_comes_after_seven_days(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for device, ms in (("d:in time", 0), ("d:too late", 1)):
        log.send(cart(0), device=device)
        log.send(purchase(7 * 24 * 60, ms=ms, session_id="later"), device=device)
    warehouse.load(log.outcomes)
    ((_, added, bought, _, left, back, share),) = ask(
        warehouse.connection, "cart_abandonment", {}
    ).rows
    assert (added, bought, left, back, share) == (2, 2, 2, 1, 100.0)


@pytest.mark.parametrize("archived", [(), (0,), (0, 2)], ids=["hot", "in part", "whole"])
def test_the_last_to_arrive_may_be_late_wherever_it_is(
    warehouse: Warehouse, archived: tuple[int, ...]
) -> None:
    log = Log(warehouse.rules)
    newest, arrival = MORNING + 2 * DAY, MORNING + 3 * DAY
    for store, received_at in (("prompt", newest), ("slow", arrival)):
        log.send(cart(2 * 24 * 60), store=store)
        log.send(cart(0), store=store, device="d:late", received_at=received_at)
    warehouse.load(log.outcomes)
    for number in archived:
        freeze(warehouse.connection, archive_folder(warehouse.path), day(number))
    found = ask(warehouse.connection, "freshness", {}).rows
    at, later = (
        datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None) for ms in (newest, arrival)
    )
    assert [row[:3] for row in found] == [("prompt", at, at), ("slow", at, later)]


def test_an_order_is_worth_its_lines_in_its_first_currency(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for minute, currency in enumerate(("USD", "JPY", "USD")):
        line = {"product_id": minute, "price": "7"}
        log.send(purchase(minute, line, order_id="A", currency=currency))
    warehouse.load(log.outcomes)
    found = ask(warehouse.connection, "orders", {}).rows
    assert [row[1:4] for row in found] == [("USD", 1, 14)]


def test_each_question_is_also_asked_of_days_with_an_answer(sample: History, odd: History) -> None:
    for name in ANSWERS:
        assert any(one.expected(name, is_of_part=True) for one in (sample, odd)), name


def test_every_question_is_compared_and_is_in_the_cookbook() -> None:
    # Its own test is in test_view_values.py.
    assert questions().keys() - ANSWERS.keys() == {"kpis"}
    assert {
        name for asked in cookbook.SUBJECTS.values() for name, *_ in asked
    } == questions().keys()


def test_the_cookbook_is_as_it_is_made_of_the_sample(sample: History) -> None:
    assert cookbook.PAGE.read_text() == cookbook.page(sample.connection), "run `make docs`"


def test_the_interval_is_that_of_newcombes_own_example() -> None:
    # Of 1998: 56 of 70 against 48 of 80, by the method that he numbers 10.
    assert of_orders.newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=0.00005)
