"""A name means one number (decision 0041): what two objects show under one name agrees.

Tables, views and table macros are found in the catalog. A number of theirs is a measure unless its
name is one of `LABELS`; so a new object is compared, or fails here until its names are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from warehouse_fixture import Warehouse, called

from pipeline.warehouse.queries import ask, questions
from pipeline.warehouse.sql import table_macros

ALL_DAYS = "DATE '-infinity', DATE 'infinity'"
NUMBERS = ("BIGINT", "HUGEINT", "INTEGER", "DOUBLE", "DECIMAL", "INTERVAL", "UTINYINT")
# What tells rows of an aggregate apart: two objects are compared by all that both have.
KEYS = {
    "attribution_token",
    "block_id",
    "collection_handle",
    "conversion_type",
    "currency",
    "day",
    "event_type",
    "field",
    "grain",
    "is_bot",
    "is_prefetch",
    "is_report",
    "marketing_campaign",
    "marketing_medium",
    "marketing_source",
    "match",
    "model",
    "name",
    "outcome",
    "position",
    "product_id",
    "reason",
    "search_term",
    "shopping_channel",
    "shows",
    "store_id",
    "title",
}
# With one of these a row is one thing, and its numbers are those of that thing.
THINGS = {"event_key", "session_key", "conversion_key", "refund_event_key", "order_id"}
# Where the other object has no such key, the rows that say it all once.
WHOLE = {"grain": "all_tokens", "model": "last", "shows": "token"}
# None in the rows that say it all.
SHOWN = {"product_id", "position"}
PEOPLE = ("is_bot", "is_prefetch", "is_report")
# A session of nothing but reports is no visit, but its orders are orders (P2).
WITH_REPORTS = {"session_orders"}
# The same in each row of these keys.
REPEATED = {("kpi_revenue", "blended_impressions"): {"currency"}}
# Of sums of the same row; either name before the stroke.
RATIOS = {
    "add_to_cart_rate": ("blended_add_to_carts", "blended_impressions"),
    "add_to_carts_per_impression": ("add_to_carts", "product_impressions"),
    "bounce_rate": ("single_event_sessions", "sessions"),
    "click_through_rate": ("blended_clicks", "blended_impressions"),
    "clicks_per_impression": ("product_clicks", "product_impressions"),
    "conversion_rate": ("converted|bought", "sessions"),
    "events_per_session": ("session_events", "sessions"),
    "order_lines_per_impression": ("order_lines", "product_impressions"),
    "mean_click_position": ("search_click_positions", "search_clicks"),
    "purchase_rate": ("blended_order_lines", "blended_impressions"),
    "revenue_per_impression": ("blended_revenue", "blended_impressions"),
    "token_clicks_per_impression": ("token_clicks", "token_impressions"),
}
# Neither a sum nor a ratio of sums that the row shows: no second object may have it.
ALONE = {"mean_duration"}
# What a question may add to the names of objects.
OF_QUESTIONS = ("_percent", "_change")

Row = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """An object's rows, with the keys and measures among its columns."""

    name: str
    keys: frozenset[str]
    measures: frozenset[str]
    rows: list[Row]


def numeric(kind: str) -> bool:
    return kind.startswith(NUMBERS) and not kind.endswith("[]")


def shown(warehouse: Warehouse) -> Iterator[Shown]:
    """Every table, view and table macro that has rows by store and day."""
    tables = warehouse.rows(
        "SELECT DISTINCT table_name FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() AND schema_name = 'main'"
        " ORDER BY ALL"
    )
    froms = {name: name for (name,) in tables}
    froms |= {f"{name}()": called(name, ALL_DAYS) for name in table_macros()}
    for name, source in froms.items():
        described = warehouse.rows(f"DESCRIBE FROM {source}")
        columns = {column: kind for column, kind, *_ in described}
        if not {"store_id", "day"} <= columns.keys() or THINGS & columns.keys():
            continue
        if "shows" in columns:
            columns = {column: kind for column, kind in columns.items() if column not in SHOWN}
        keys = frozenset(KEYS & columns.keys())
        measures = {column for column, kind in columns.items() if numeric(kind)} - keys
        result = warehouse.connection.execute(f"FROM {source}")
        names = [column[0] for column in result.description or []]
        rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
        yield Shown(name, keys, frozenset(measures), rows)


@pytest.fixture(scope="module")
def objects(shops: Warehouse) -> list[Shown]:
    return list(shown(shops))


def test_the_history_has_what_makes_numbers_differ(shops: Warehouse) -> None:
    for what in (
        "events WHERE is_bot",
        "events WHERE is_prefetch",
        "events WHERE is_late",
        "sessions WHERE is_report",
        "refunds WHERE taken > 0",
        "order_lines WHERE is_repeated",
        "order_lines WHERE NOT is_refund AND is_counted AND revenue IS NULL",
        "conversions WHERE touches > 1",
    ):
        ((found,),) = shops.rows(f"SELECT count(*) FROM {what}")
        assert found > 0, what
    ((tokens, days),) = shops.rows(
        "SELECT count(DISTINCT attribution_token), count(DISTINCT day) FROM events"
    )
    assert tokens > 1
    assert days > 1


def totals(one: Shown, measure: str, keys: frozenset[str], other: Shown) -> dict[Any, Decimal]:
    """The measure of people's rows, by `keys`; without zeros."""
    repeated = REPEATED.get((one.name.removesuffix("()"), measure), set())
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    seen: set[Any] = set()
    for row in one.rows:
        hidden = [name for name in PEOPLE if name != "is_report" or measure not in WITH_REPORTS]
        if any(row.get(name) for name in hidden):
            continue
        if any(name in one.keys - other.keys and row[name] != WHOLE[name] for name in WHOLE):
            continue
        place = tuple(row[name] for name in sorted(one.keys - repeated))
        if repeated and place in seen:
            continue
        seen.add(place)
        sums[tuple(row[name] for name in sorted(keys))] += row[measure] or 0
    return {key: value for key, value in sums.items() if value}


def test_two_objects_that_show_one_name_show_one_number(objects: list[Shown]) -> None:
    wrong, compared = [], set()
    for one, two in combinations(objects, 2):
        for measure in (one.measures & two.measures) - RATIOS.keys():
            repeated = {
                name
                for shown in (one, two)
                for name in REPEATED.get((shown.name.removesuffix("()"), measure), set())
            }
            keys = (one.keys & two.keys) - set(PEOPLE) - repeated
            left, right = totals(one, measure, keys, two), totals(two, measure, keys, one)
            if repeated:
                # Such an object has not every row of the other.
                left = {key: value for key, value in left.items() if key in right}
                right = {key: value for key, value in right.items() if key in left}
            assert left, (one.name, measure)
            compared.add(measure)
            wrong += [
                f"{measure} of {one.name} and {two.name} at {key}: {left.get(key)} {right.get(key)}"
                for key in sorted({*left, *right}, key=str)
                if left.get(key) != right.get(key)
            ]
    assert wrong == [], "\n".join(wrong[:20])
    assert {"gross_revenue", "order_lines", "attributed_revenue", "blended_impressions"} <= compared


def test_a_ratio_is_that_of_the_two_sums_that_it_names(objects: list[Shown]) -> None:
    for one in objects:
        for ratio in one.measures & RATIOS.keys():
            above, below = RATIOS[ratio]
            names = set(above.split("|")) & one.measures
            assert names, (one.name, ratio, above)
            assert below in one.measures, (one.name, ratio, below)
            for row in one.rows:
                wanted = row[names.copy().pop()] / row[below] if row[below] else None
                found = None if row[ratio] is None else float(row[ratio])
                assert found == (None if wanted is None else pytest.approx(float(wanted)))


def test_what_is_neither_sum_nor_ratio_is_in_one_object(objects: list[Shown]) -> None:
    for measure in ALONE:
        assert len([one for one in objects if measure in one.measures]) == 1, measure
    # No average or share is compared as if it were a sum.
    described = [(one, measure) for one in objects for measure in one.measures]
    odd = {
        measure
        for one, measure in described
        if any(isinstance(row[measure], float) for row in one.rows)
    }
    assert odd <= RATIOS.keys()


def test_a_question_shows_measures_under_the_names_of_objects_or_of_its_own(
    shops: Warehouse, objects: list[Shown]
) -> None:
    known = {measure for one in objects for measure in one.measures}
    given = {"first": "2025-11-24", "last": "2025-11-24"}
    shown_by: dict[str, list[str]] = defaultdict(list)
    for name in questions():
        wanted = {key: value for key, value in given.items() if name == "kpis"}
        for column in ask(shops.connection, name, wanted).columns:
            if column not in known | KEYS and not column.endswith(OF_QUESTIONS):
                shown_by[column].append(name)
    # What no object has, one question may have.
    assert {column: names for column, names in shown_by.items() if len(names) > 1} == {}
