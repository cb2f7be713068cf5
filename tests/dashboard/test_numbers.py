"""The page's numbers are those of the views of the same name (docs/which-number.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beacons import write_traffic

from pipeline.dashboard.reading import Reading, run
from pipeline.dashboard.selection import MODELS, Selection, select, written
from pipeline.dashboard.snapshot import SnapshotReader
from pipeline.domain.rules import Rules
from pipeline.replay.local import replay

Read = Callable[[Callable[[duckdb.DuckDBPyConnection], Any]], Any]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Runs something on a snapshot of generated traffic, as the page does."""
    folder: Path = tmp_path_factory.mktemp("numbers")
    traffic = write_traffic(folder / "all.ndjson", seed=2, devices=80)
    replay([str(traffic)], database=folder / "analytics.duckdb", rules=Rules())
    reader = SnapshotReader(folder / "analytics.duckdb")
    return lambda of: reader.read(of).value


def asked(read: Read, *queries: str, **wanted: str) -> tuple[Selection, list[list[Row]]]:
    def of(connection: duckdb.DuckDBPyConnection) -> tuple[Selection, list[list[Row]]]:
        selection = select(run(connection, "stores"), wanted)
        reading = Reading(connection, selection)
        return selection, [reading.rows(query) for query in queries]

    return read(of)  # type: ignore[no-any-return]


def viewed(read: Read, selection: Selection, query: str) -> list[tuple[Any, ...]]:
    """Rows of a view, with `{where}` for the store and days of the selection."""
    where = f"day BETWEEN '{selection.first}' AND '{selection.last}'"
    if selection.store.name:
        where += f" AND store_id = '{selection.store.name}'"
    # The views of the snapshot, not what is chosen of it.
    text = query.replace("FROM ", "FROM snapshot.main.").format(where=where)
    return read(lambda connection: connection.execute(text).fetchall())  # type: ignore[no-any-return]


STORES = pytest.mark.parametrize("store", ["kiosk", "*"])


@STORES
def test_sessions_orders_and_revenue_are_those_of_the_views(read: Read, store: str) -> None:
    selection, (totals, money) = asked(read, "totals", "money", store=store, days="5")
    (people,) = [row for row in totals if row["period"] == "now" and not row["is_bot"]]
    assert [(people["sessions"], people["bought"])] == viewed(
        read, selection, "SELECT sum(sessions), sum(bought) FROM funnel WHERE {where}"
    )
    assert [(people["session_events"],)] == viewed(
        read, selection, "SELECT sum(session_events) FROM session_days WHERE {where}"
    )
    assert [(people["orders"],)] == viewed(
        read, selection, "SELECT count(*) FROM people_orders WHERE {where}"
    )
    assert people["orders"] > 0
    now = [row for row in money if row["period"] == "now"]
    assert sorted(
        (row["currency"], row["gross_revenue"]) for row in now if row["gross_revenue"]
    ) == viewed(
        read,
        selection,
        "SELECT currency, sum(gross_revenue) FROM revenue WHERE {where} GROUP BY 1 ORDER BY 1",
    )
    assert sorted((row["currency"], row["refunds"]) for row in now if row["refunds"]) == viewed(
        read,
        selection,
        "SELECT currency, sum(taken) FROM people_refunds WHERE {where} AND taken > 0"
        " GROUP BY 1 ORDER BY 1",
    )


@STORES
def test_blended_counts_are_those_of_the_kpis(read: Read, store: str) -> None:
    selection, (products, kpis) = asked(read, "products", "kpis", store=store, days="5")
    names = "blended_impressions", "blended_clicks", "blended_add_to_carts", "blended_order_lines"
    sums = ", ".join(f"sum({name})" for name in names)
    for grain, rows in {
        "product": [{**row, "name": row["product"]} for row in products],
        "token": [row for row in kpis if row["grain"] == "token"],
        "block": [row for row in kpis if row["grain"] == "block"],
        "collection": [row for row in kpis if row["grain"] == "collection"],
    }.items():
        found = sorted(
            (row["name"], *(row[name] for name in names))
            for row in rows
            if any(row[name] for name in names)
        )
        wanted = viewed(
            read,
            selection,
            f"SELECT name, {sums} FROM kpis WHERE {{where}} AND grain = '{grain}' GROUP BY 1",
        )
        assert found == sorted(row for row in wanted if any(row[1:])), grain
        assert found


@STORES
def test_searches_are_those_of_the_view(read: Read, store: str) -> None:
    selection, (searches,) = asked(read, "searches", store=store, days="5")
    found = sorted(
        (row["search_term"], row["searches"], row["searches_bought"]) for row in searches
    )
    assert found == viewed(
        read,
        selection,
        "SELECT search_term, sum(searches), sum(searches_bought) FROM searches WHERE {where}"
        " GROUP BY 1 ORDER BY 1",
    )
    assert found


@STORES
@pytest.mark.parametrize("model", MODELS)
def test_what_a_model_gives_a_token_is_that_of_the_view(read: Read, store: str, model: str) -> None:
    selection, (models,) = asked(read, "models", store=store, days="5", model=model)
    found = {
        (row["attribution_token"], gross["currency"]): (gross["amount"], net["amount"])
        for row in models
        for gross in row["attributed_revenue"] or ()
        for net in row["attributed_net_revenue"]
        if gross["currency"] == net["currency"]
    }
    lines = f"model = '{model}' AND conversion_type = 'purchase'"
    wanted = viewed(
        read,
        selection,
        "SELECT attribution_token, currency, sum(attributed_revenue), sum(attributed_net_revenue)"
        f" FROM attribution_models WHERE {{where}} AND {lines} AND currency IS NOT NULL"
        " GROUP BY 1, 2 HAVING sum(conversions) > 0 OR sum(attributed_net_revenue) <> 0",
    )
    assert found == {(token, currency): (gross, net) for token, currency, gross, net in wanted}
    shared = viewed(
        read,
        selection,
        f"SELECT sum(conversions) FROM attribution_models WHERE {{where}} AND {lines}",
    )
    assert sum(row["conversions"] for row in models) == pytest.approx(float(shared[0][0] or 0))
    assert store != "*" or {gross > net for gross, net in found.values()} == {True, False}


def test_the_parts_of_a_filter_make_up_the_whole(read: Read) -> None:
    _, ((whole, *_), money, options) = asked(read, "totals", "money", "options", days="6")
    assert (whole["period"], whole["is_bot"]) == ("now", False)
    names = "sessions", "bought", "searches", "session_events", "orders"
    for name in ("channel", "device", "country", "source", "campaign"):
        values = [row["option"] for row in options if row["filter"] == name]
        parts = [
            asked(read, "totals", "money", days="6", **{name: written(value)})[1]
            for value in values
        ]
        assert values, name
        for measure in names:
            assert sum(part[0][0][measure] for part in parts) == whole[measure], (name, measure)
        for measure in ("gross_revenue", "refunds"):
            now = [row[measure] for row in money if row["period"] == "now"]
            shared = [row[measure] for part in parts for row in part[1] if row["period"] == "now"]
            assert sum(shared) == sum(now), (name, measure)


def test_the_days_of_the_chart_make_up_the_totals(read: Read) -> None:
    selection, ((whole, *_), money, visits, sales) = asked(
        read, "totals", "money", "trend_visits", "trend_sales", days="3", by="hour"
    )
    shown = [row for row in visits if row["day"] >= selection.first]
    sold = [row for row in sales if row["day"] >= selection.first]
    assert sum(row["sessions"] for row in shown) == whole["sessions"]
    assert sum(row["orders"] for row in sold) == whole["orders"]
    assert sum(row["gross_revenue"] for row in sold if row["currency"]) == sum(
        row["gross_revenue"] for row in money if row["period"] == "now"
    )
    assert {row["hour"] for row in shown} <= set(range(24))
    assert selection.shift == timedelta(days=3)
