"""Tables and views say what plain Python says (A7-A9, A11, B1-B4)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from reference import Row, blended, credits_of, refund_credits, refunds, settled
from shrink import shrunk, write_case
from strategies import Story, gathered, transactions_of
from warehouse_fixture import Warehouse

from pipeline.domain.timestamps import MILLISECOND

STORIES = 400


def rows(warehouse: Warehouse, query: str) -> list[Row]:
    result = warehouse.connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def without_zeros(values: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in values.items() if value != 0}


def wrong_money(warehouse: Warehouse) -> list[str]:
    """Where `credits`, `refunds` and `refund_credits` differ from the reference."""
    conversions, lines = rows(warehouse, "FROM conversions"), rows(warehouse, "FROM order_lines")
    credited = credits_of(
        conversions,
        rows(warehouse, "FROM conversion_touches"),
        half_life_ms=warehouse.rules.half_life // MILLISECOND,
    )
    ours = {
        (row["conversion_key"], row["model"], row["position"]): row["credit"]
        for row in rows(warehouse, "FROM credits")
    }
    wrong = [f"credits: {both}" for both in ours.items() ^ credited.items()]
    counted = {
        (row["event_key"], row["occurred_at"], row["line"]): (
            row["is_repeated"],
            row["is_unconfirmed"],
            row["counts_order"],
            row["quantity"],
            row["price"],
            row["currency"],
        )
        for row in lines
    }
    wrong += [f"order lines: {both}" for both in counted.items() ^ settled(lines).items()]
    states, taken = refunds(lines)
    found = {
        (row["event_key"], row["occurred_at"], row["line"]): (row["state"], row["taken"])
        for row in rows(warehouse, "FROM refunds")
    }
    wrong += [f"refunds: {both}" for both in found.items() ^ states.items()]
    wanted = refund_credits(taken, conversions, credited)
    back: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows(warehouse, "FROM refund_credits"):
        back[
            row["refund_event_key"],
            row["refund_line"],
            row["conversion_key"],
            row["model"],
            row["position"],
        ] += row["credit"]
    return wrong + [
        f"refund credits: {both}"
        for both in without_zeros(back).items() ^ without_zeros(wanted).items()
    ]


NAMES = {
    "product_click": "blended_clicks",
    "add_to_cart": "blended_add_to_carts",
    "purchase": "blended_order_lines",
}
MEASURES = ("tokens_shown", "products_shown", *NAMES.values(), "blended_revenue")


def wrong_counts(warehouse: Warehouse) -> list[str]:
    """Where `blended` differs from the reference, by all but the position."""
    tokens = blended(
        rows(warehouse, "FROM events"),
        rows(warehouse, "FROM order_lines"),
        rows(warehouse, "FROM sessions"),
    )
    wanted: dict[Any, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(MEASURES, Decimal(0)))
    for (store, _, is_bot, name), token in tokens.items():
        day = token["day"]
        dimensions = (token["block_id"], token["collection_handle"], token["search_term"])
        key = (store, day, is_bot, name, *dimensions)
        wanted[*key, None, None]["tokens_shown"] += 1
        for product, _ in {(product, position) for product, position, _ in token["products"]}:
            wanted[*key, product, None]["products_shown"] += 1
        for action, row, count in token["counted"]:
            sums = wanted[*key, row["product_id"], row.get("revenue") and row["currency"]]
            sums[NAMES[action]] += count
            sums["blended_revenue"] += count * (row.get("revenue") or 0)
    ours: dict[Any, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(MEASURES, Decimal(0)))
    for row in rows(warehouse, "FROM blended(DATE '-infinity', DATE 'infinity', true)"):
        key = (row["store_id"], row["day"], row["is_bot"], row["attribution_token"])
        key += (row["block_id"], row["collection_handle"], row["search_term"], row["product_id"])
        for name in MEASURES:
            ours[*key, row["currency"]][name] += row[name]
    return [
        f"blended {key}: {ours[key]} is not {wanted[key]}"
        for key in {*ours, *wanted}
        if ours[key] != wanted[key]
    ]


def load_and_compare(warehouse: Warehouse, stories: list[Story]) -> list[str]:
    """What is wrong once all of these stories are loaded."""
    warehouse.clear()
    warehouse.load(
        outcome
        for number, story in enumerate(stories)
        for batch in transactions_of(story, warehouse.rules, number=number)
        for outcome in batch
    )
    return [*wrong_money(warehouse), *wrong_counts(warehouse)]


def test_views_equal_the_reference(warehouse: Warehouse) -> None:
    stories = gathered(STORIES, number=-1)
    if wrong := load_and_compare(warehouse, stories):
        small = shrunk(stories, lambda some: bool(load_and_compare(warehouse, some)))
        pytest.fail(
            f"{write_case(small).name}: {load_and_compare(warehouse, small)}; {len(wrong)} in all"
        )
