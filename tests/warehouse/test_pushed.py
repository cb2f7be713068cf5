"""A filter by store and day reaches the tables: what a view reads for a day does not grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from warehouse_fixture import Warehouse

A_DAY = "store_id = 'story-2' AND day = DATE '2025-11-23'"
# They read tables whole, whatever is asked of them: a day of theirs comes from rows of any day.
# `pipeline query` bounds the first by the days of their macros.
OF_ANY_DAY = {
    "daily_kpis": "what a session showed may be acted on after midnight",
    "kpis": "as daily_kpis",
    "kpi_revenue": "as daily_kpis",
    "searches": "what follows a search may be after midnight",
    "event_sessions": "a session may have begun the day before",
    "orders": "lines and refunds of an order may be of other days",
    "disputed_orders": "reports of an order may be of other days",
    "refunds": "what is given back was bought before",
    "refund_credits": "as refunds",
    "attribution_models": "as refunds",
}


def scans(plan: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each stored table that a plan reads, with the filters on it."""
    for node in plan:
        about = node["extra_info"]
        if "Table" in about:
            yield about["Table"].rsplit(".", 1)[-1].strip('"'), str(about.get("Filters", ""))
        yield from scans(node.get("children", []))


def test_a_filter_of_store_and_day_reaches_every_table_with_days(shops: Warehouse) -> None:
    columns: dict[str, set[str]] = {}
    for table, column in shops.rows(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database()"
    ):
        columns.setdefault(table, set()).add(column)
    views = shops.rows(
        "SELECT view_name FROM duckdb_views()"
        " WHERE NOT internal AND database_name = current_database() ORDER BY ALL"
    )
    whole = set()
    for (view,) in views:
        if not {"store_id", "day"} <= columns[view]:
            continue
        explained = shops.rows(f"EXPLAIN (FORMAT JSON) FROM {view} WHERE {A_DAY}")
        read = list(scans(json.loads(explained[0][1])))
        assert read, view
        days = {"day", "received_day"}
        if any(days & columns[table] and "day" not in filters for table, filters in read):
            whole.add(view.removeprefix("people_"))
    assert whole == OF_ANY_DAY.keys()


def windowed(shops: Warehouse, query: str) -> int:
    """The most rows that one window of the query has."""

    def counts(nodes: list[dict[str, Any]]) -> Iterator[int]:
        for node in nodes:
            if node["type"] == "WINDOW":
                yield node["intermediate_rows"]
            yield from counts(node.get("children", []))

    profile = shops.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")[0][1]
    return max(counts(json.loads(profile)["operator"]), default=0)


def test_a_day_of_orders_has_the_lines_refunds_and_conversions_of_its_orders_alone(
    shops: Warehouse,
) -> None:
    assert windowed(shops, f"FROM orders WHERE {A_DAY}") < windowed(shops, "FROM orders") / 2
    assert windowed(shops, f"FROM orders WHERE {A_DAY}") < windowed(shops, "FROM refunds") / 2


def test_a_day_of_refunds_has_the_lines_of_their_orders_alone(shops: Warehouse) -> None:
    """Not so `refund_credits`: a stored view loses NOT MATERIALIZED (decision 0046)."""
    a_day = "store_id = 'story-1' AND day = DATE '2025-11-25'"
    ((found,),) = shops.rows(f"SELECT count(*) FROM refunds WHERE {a_day}")
    assert found
    assert 0 < windowed(shops, f"FROM refunds WHERE {a_day}") < windowed(shops, "FROM refunds") / 2
