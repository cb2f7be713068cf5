"""Orders, devices, searches, snapshot and the rows of people, against plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import reference
from factories import MORNING, Log, make_event, purchase, visit
from warehouse_fixture import Warehouse

from pipeline.warehouse.snapshots.publish import SnapshotPublisher

Row = dict[str, Any]
# Where the rows of others are kept.
PARTS = {"hot_events", "conversion_facts"}


def rows(warehouse: Warehouse, query: str) -> list[Row]:
    result = warehouse.connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def test_orders_equal_those_of_plain_python(shops: Warehouse) -> None:
    lines, conversions = rows(shops, "FROM order_lines"), rows(shops, "FROM conversions")
    touches = rows(shops, "FROM conversion_touches")
    ((half_life_ms,),) = shops.rows("SELECT epoch_ms(half_life) FROM rules")
    credited = reference.credits_of(conversions, touches, half_life_ms=half_life_ms)
    states, _ = reference.refunds(lines)
    wanted = reference.orders(lines, conversions, credited, touches, states)
    found = rows(shops, "FROM orders")
    assert len(found) == len(wanted) > 20
    for row in found:
        one = wanted[row["event_key"], row["ordered_at"]]
        same = one.keys() - {"earned"}
        assert {name: row[name] for name in same} == {name: one[name] for name in same}
        assert row["net"] == (None if row["gross"] is None else row["gross"] - row["refunded"])
        for model, earned in one["earned"].items():
            token = row[f"{model}_token"]
            assert (token in earned) == bool(earned), (row, model)
            assert token is None or earned[token] == max(earned.values())
    assert any(row["refunded"] for row in found)
    assert any(row["lines"] > 1 for row in found)
    assert any(row["last_token"] != row["first_token"] for row in found)


def test_each_order_is_of_the_session_that_counts_it(shops: Warehouse) -> None:
    of_sessions = "SELECT session_key, orders FROM sessions WHERE orders > 0 ORDER BY ALL"
    of_orders = """
        SELECT o.session_key, count(*) FROM orders AS o JOIN sessions AS s USING (session_key)
        WHERE o.is_bot = s.is_bot GROUP BY ALL ORDER BY ALL"""
    assert shops.rows(of_orders) == shops.rows(of_sessions) != []


def test_an_order_names_its_customer(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(0, order_id="A", customer_id="C", event_id=None))
    log.send(make_event(minute=1, customer_id="D"), make_event(minute=2))
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT order_id, customer_id FROM orders") == [("A", "C")]
    assert warehouse.rows("SELECT last_customer_id, visits, orders FROM devices") == [("D", 1, 1)]


def test_money_of_an_order_in_two_currencies_is_not_added_up(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(purchase(0, {"product_id": 1, "price": "10"}, order_id="A", currency="USD"))
    log.send(purchase(1, {"product_id": 2, "price": "7"}, order_id="A", currency="JPY"))
    warehouse.load(log.outcomes)
    assert warehouse.rows(
        "SELECT lines, currency, gross, net, lines_in_other_currencies FROM orders"
    ) == [(2, "USD", Decimal(10), Decimal(10), 1)]


def test_devices_equal_those_of_plain_python(shops: Warehouse) -> None:
    sessions: dict[Any, list[Row]] = defaultdict(list)
    for row in rows(shops, "FROM sessions ORDER BY started_at, session_key"):
        sessions[row["store_id"], row["device_key"]].append(row)
    found = rows(shops, "FROM devices")
    assert len(found) == len(sessions) > 20
    for row in found:
        own = sessions[row["store_id"], row["device_key"]]
        assert row["first_seen_at"] == own[0]["started_at"]
        assert row["last_seen_at"] == max(one["ended_at"] for one in own)
        assert row["visits"] == len([one for one in own if not one["is_report"]])
        assert row["orders"] == sum(one["orders"] for one in own)
        assert row["is_bot"] == all(one["is_bot"] for one in own)


def test_a_device_came_first_from_the_first_source_that_it_names(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for hour, source in ((0, None), (1, "mail"), (2, "ads")):
        log.send(make_event(minute=60 * hour, marketing_source=source, session_id=f"s{hour}"))
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT visits, first_marketing_source FROM devices") == [(3, "mail")]


def test_searches_equal_those_of_plain_python(shops: Warehouse) -> None:
    wanted = reference.searches(
        rows(shops, "FROM events"), rows(shops, "FROM order_lines"), rows(shops, "FROM sessions")
    )
    found: dict[Any, Row] = {}
    money: dict[Any, Decimal] = {}
    for row in rows(shops, "FROM searches"):
        key = (row["store_id"], row["day"], row["search_term"])
        if row["currency"] is None:
            found[key] = row
        else:
            money[*key, row["currency"]] = row["search_revenue"]
            assert row["searches"] == row["search_clicks"] == 0
    assert found.keys() == wanted.keys()
    assert len(found) > 10
    earned: dict[Any, Decimal] = defaultdict(Decimal)
    for key, row in found.items():
        of = wanted[key]["searches"]
        clicks = [position for one in of for position in one["clicks"]]
        clicked = len([one for one in of if one["clicks"]])
        assert row["searches"] == len(of)
        assert row["searching_sessions"] == len({one["session"] for one in of})
        assert row["searches_clicked"] == clicked
        assert row["searches_without_click"] == len(of) - clicked
        assert row["searches_carted"] == len([one for one in of if one["carts"]])
        assert row["searches_bought"] == len([one for one in of if one["bought"]])
        assert (row["search_clicks"], row["search_click_positions"]) == (len(clicks), sum(clicks))
        for currency, revenue in (each for one in of for each in one["bought"]):
            if revenue is not None:
                earned[*key, currency] += revenue
    assert money == earned != {}


def test_q2_what_follows_a_search_is_of_the_latest_one(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)

    def search(minute: int, term: str) -> Row:
        return make_event("search", minute, query=term, product_id=None)

    log.send(
        make_event("product_click", 0, position=9),
        search(1, "hat"),
        make_event("product_click", 2, position=3),
        search(3, "shoe"),
        make_event("product_click", 4, position=1),
        make_event("add_to_cart", 5),
        purchase(6, {"product_id": 1, "price": "10"}, order_id="A"),
        purchase(7, {"product_id": 1, "price": "10"}, order_id="A"),
    )
    warehouse.load(log.outcomes)
    assert warehouse.rows("""
        SELECT search_term, currency, searches, searches_clicked, searches_carted,
            searches_bought, mean_click_position, search_revenue
        FROM searches ORDER BY search_term, currency NULLS FIRST""") == [
        ("hat", None, 1, 1, 0, 0, 3.0, None),
        ("shoe", None, 1, 1, 1, 1, 1.0, None),
        ("shoe", "USD", 0, 0, 0, 0, None, Decimal(10)),
    ]


def test_rows_have_a_form_of_people_alone(shops: Warehouse) -> None:
    columns: dict[str, set[str]] = defaultdict(set)
    for table, column in shops.rows(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() AND schema_name = 'main'"
    ):
        columns[table].add(column)
    single = {
        table
        for table, held in columns.items()
        if "is_bot" in held and held & {"device_key", "event_key", "refund_event_key"}
    } - PARTS
    assert {name for name in columns if name.startswith("people_")} == {
        f"people_{name}" for name in single
    }
    for name in single:
        others = [flag for flag in ("is_bot", "is_prefetch", "is_report") if flag in columns[name]]
        where = " AND ".join(f"NOT {flag}" for flag in others)
        if name == "order_lines":
            where += " AND is_counted AND NOT is_refund"
        ((of_people, all_rows),) = shops.rows(
            f"SELECT (SELECT count(*) FROM people_{name}), (SELECT count(*) FROM {name})"
        )
        assert shops.rows(f"SELECT count(*) FROM {name} WHERE {where}") == [(of_people,)]
        assert 0 < of_people < all_rows, name


def test_a_snapshot_says_when_and_by_what_it_was_made(tmp_path: Path) -> None:
    warehouse, snapshot = Warehouse(tmp_path / "live.duckdb"), tmp_path / "analytics.duckdb"
    ahead = Log(warehouse.rules, 1)
    ahead.send(make_event(minute=9))
    log = Log(warehouse.rules)
    visit(log)
    warehouse.load([*log.outcomes, *ahead.outcomes])
    before = datetime.now(UTC).replace(tzinfo=None)
    publisher = SnapshotPublisher(warehouse.connection, warehouse.path, snapshot)
    for _ in range(2):
        publisher.publish()
    after = datetime.now(UTC).replace(tzinfo=None)
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'Asia/Tokyo'")
        reader.execute(f"ATTACH '{snapshot}' AS shop (READ_ONLY)")
        result = reader.execute("FROM shop.snapshot")
        names = [column[0] for column in result.description or []]
        (values,) = result.fetchall()
    row = dict(zip(names, values, strict=True))
    assert before - timedelta(milliseconds=1) <= row["published_at"] <= after
    assert (row["version"], row["late_devices"]) == (version("clickstream-pipeline"), 0)
    morning = datetime.fromtimestamp(MORNING / 1000, UTC).replace(tzinfo=None)
    assert row["stream_time"] == morning + timedelta(minutes=9)
    assert row["complete_until"] == morning + timedelta(minutes=4)
    assert row["settled_until"] == row["complete_until"] - warehouse.rules.lateness
    assert row["rules_digest"] == warehouse.rules.digest()
    warehouse.connection.close()
