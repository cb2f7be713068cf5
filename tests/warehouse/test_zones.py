"""Every day is the store's, and no answer depends on the reader's TimeZone (T10)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from warehouse_fixture import Warehouse, called

from pipeline.warehouse.parameters import parameters_of
from pipeline.warehouse.queries import ask
from pipeline.warehouse.sql import files, table_macros

ZONES = ("UTC", "America/New_York", "Pacific/Kiritimati")
# Whose day a row's is, the first of these that it has.
MOMENTS = ("occurred_at", "ordered_at", "refunded_at", "started_at")
GIVEN = {"first": "2025-11-22", "last": "2025-11-25", "token": "red", "other": "blue"}


def names(warehouse: Warehouse) -> list[str]:
    """Tables, views and table macros."""
    found = warehouse.rows(
        "SELECT DISTINCT table_name FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() AND schema_name = 'main'"
        " ORDER BY ALL"
    )
    macros = [called(name, "DATE '2025-11-22', DATE '2025-11-25'") for name in table_macros()]
    return [*(name for (name,) in found), *macros]


@pytest.fixture
def in_zones(shops: Warehouse) -> Iterator[Any]:
    """What `answer` says under each zone of the reader."""

    def answers(answer: Any) -> list[Any]:
        found = []
        for zone in ZONES:
            shops.connection.execute(f"SET TimeZone = '{zone}'")
            found.append(answer())
        return found

    yield answers
    shops.connection.execute("SET TimeZone = 'UTC'")


def test_t10_no_table_view_or_macro_depends_on_the_readers_zone(
    shops: Warehouse, in_zones: Any
) -> None:
    for name in names(shops):
        first, *others = in_zones(lambda name=name: shops.rows(f"FROM {name} ORDER BY ALL"))
        assert all(other == first for other in others), name


def test_t10_no_question_depends_on_the_readers_zone(shops: Warehouse, in_zones: Any) -> None:
    ((store,),) = shops.rows("SELECT max(store_id) FROM people_orders")
    given = {**GIVEN, "store": store}
    answered = 0
    for name, _ in files("queries"):
        asked = {key: given[key] for key in parameters_of(name) if key in given}
        first, *others = in_zones(
            lambda name=name, asked=asked: ask(shops.connection, name, asked).rows
        )
        assert all(other == first for other in others), name
        answered += bool(first)
    assert answered > len(files("queries")) * 2 / 3


def test_t10_no_column_has_a_zone(shops: Warehouse) -> None:
    assert (
        shops.rows(
            "SELECT table_name, column_name FROM duckdb_columns()"
            " WHERE NOT internal AND data_type LIKE '%WITH TIME ZONE%'"
        )
        == []
    )


def test_t10_each_rows_day_is_that_of_the_stores_clocks(shops: Warehouse) -> None:
    checked = set()
    for name in names(shops):
        columns = {column for column, *_ in shops.rows(f"DESCRIBE FROM {name}")}
        moment = next((each for each in MOMENTS if each in columns), None)
        if moment is None or not {"day", "store_id"} <= columns:
            continue
        wrong = shops.rows(
            f"SELECT day, {moment} FROM {name} JOIN stores USING (store_id)"
            f" WHERE day <> CAST(time_in(timezone, {moment}) AS DATE)"
        )
        assert wrong == [], name
        checked.add(name)
    assert {"events", "sessions", "order_lines", "orders", "credits", "refunds"} <= checked
    # In the stores' zones it is another day than in UTC.
    moved = "SELECT count(*) FROM events WHERE day <> CAST(occurred_at AS DATE)"
    assert shops.rows(moved) > [(0,)]


def test_t10_each_day_of_an_aggregate_is_one_of_its_events(shops: Warehouse) -> None:
    of_store: dict[str, set[date]] = {}
    for store, day in shops.rows(
        "SELECT store_id, day FROM events UNION SELECT store_id, received_day FROM events"
        " UNION SELECT store_id, received_day FROM rejected_events"
    ):
        of_store.setdefault(store, set()).add(day)
    for name in names(shops):
        columns = {column for column, *_ in shops.rows(f"DESCRIBE FROM {name}")}
        if {"day", "store_id"} <= columns:
            for store, day in shops.rows(f"SELECT DISTINCT store_id, day FROM {name}"):
                assert day in of_store[store], (name, store, day)
