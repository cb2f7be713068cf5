"""Sessions merged from parts are those of all their events, whatever the parts (decision 0028)."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from warehouse_fixture import RULES, Warehouse

from pipeline.domain.rules import Rules

# Each of them is an example: a device whose events are split at random.
DEVICES, MOST_EVENTS = 3000, 8
START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive, and UTC
# Around the gap; few, so that events share a millisecond.
MINUTES = [0, 0, 1, 29, 30, 31, 60, 61, 90, 120]
TYPES = ["search", "product_impression", "product_click", "product_view", "purchase"]
PARTS = 4


@pytest.fixture(scope="module", params=[RULES], ids=["roomy"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


def an_event(chance: Random, device: int) -> dict[str, Any]:
    occurred_at = START + timedelta(minutes=chance.choice(MINUTES))
    return {
        "store_id": "store",
        "device_key": f"d:{device}",
        "session_id": chance.choice(["one", "one", "two"]),
        "partition": 3,
        "event_key": str(UUID(int=chance.getrandbits(128))),
        "occurred_at": occurred_at + timedelta(milliseconds=chance.choice([0, 0, 0, 1])),
        "day": occurred_at.date(),
        "event_type": chance.choice(TYPES),
        "marketing_source": chance.choice([None, None, "mail"]),
        "marketing_medium": chance.choice([None, None, "cpc"]),
        "marketing_campaign": chance.choice([None, None, "spring"]),
        "attribution_token": chance.choice([None, None, "red", "blue"]),
        "product_id": chance.choice([None, None, 1, 2]),
        **{
            name: chance.choice([None, "a", "b"])
            for name in ("collection_handle", "query", "device_type", "browser", "country")
        },
        "shopping_channel": chance.choice(["web", "app"]),
        "is_bot": chance.random() < 0.7,
        "is_server": chance.random() < 0.7,
        "is_prefetch": chance.random() < 0.2,
        "is_late": chance.random() < 0.2,
        "part": chance.randrange(PARTS),
    }


@pytest.fixture
def parted(warehouse: Warehouse) -> Warehouse:
    """A warehouse with random events in `parted`, each in one of four parts."""
    chance = Random(28)  # noqa: S311  # examples, the same each time
    events = [
        an_event(chance, device)
        for device in range(DEVICES)
        for _ in range(chance.randrange(1, MOST_EVENTS))
    ]
    connection = warehouse.connection
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE parted AS SELECT *, 0 AS part FROM hot_events WITH NO DATA"
    )
    connection.register("made", pa.Table.from_pylist(events))
    connection.execute("INSERT INTO parted BY NAME FROM made")
    connection.unregister("made")
    for part in range(PARTS):
        keep(
            warehouse, f"events_{part}", f"SELECT * EXCLUDE (part) FROM parted WHERE part = {part}"
        )
        keep(warehouse, f"part_{part}", f"FROM recompute_sessions('events_{part}')")
    keep(warehouse, "whole", "FROM recompute_sessions('parted')")
    return warehouse


def keep(warehouse: Warehouse, name: str, query: str) -> None:
    warehouse.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def merge(warehouse: Warehouse, name: str, *parts: str) -> None:
    rows = " UNION ALL BY NAME ".join(f"FROM {part}" for part in parts)
    keep(warehouse, "of_parts", rows)
    keep(warehouse, name, "FROM merge_sessions('of_parts')")


def difference(warehouse: Warehouse, name: str) -> list[tuple[Any, ...]]:
    """Rows of `name` or of `whole` that the other lacks."""
    by_name = f"(FROM whole WHERE false UNION ALL BY NAME FROM {name})"
    return warehouse.rows(
        f"(SELECT 'merged', * FROM (FROM {by_name} EXCEPT ALL FROM whole))"
        f" UNION ALL (SELECT 'whole', * FROM (FROM whole EXCEPT ALL FROM {by_name})) LIMIT 5"
    )


def test_s3_parts_merged_at_once_are_the_sessions_of_all_events(parted: Warehouse) -> None:
    merge(parted, "merged", *(f"part_{part}" for part in range(PARTS)))
    assert difference(parted, "merged") == []


def test_s3_parts_merged_one_after_the_other_are_the_sessions_of_all_events(
    parted: Warehouse,
) -> None:
    merge(parted, "merged", "part_0")
    for part in range(1, PARTS):
        merge(parted, "merged", "merged", f"part_{part}")
    assert difference(parted, "merged") == []


def test_s3_pairs_of_parts_merged_are_the_sessions_of_all_events(parted: Warehouse) -> None:
    merge(parted, "left_pair", "part_3", "part_1")
    merge(parted, "right_pair", "part_0", "part_2")
    merge(parted, "merged", "left_pair", "right_pair")
    assert difference(parted, "merged") == []


def test_the_events_are_random_enough(parted: Warehouse) -> None:
    """Sessions of several parts, with each thing taken from a later event and from the first."""
    assert parted.rows("SELECT count(*) FROM part_0")[0][0] > DEVICES // 2
    for name in ("marketing_event", "landing_token_event", "landing_product_event"):
        assert parted.rows(f"SELECT count({name}) > 300 FROM whole") == [(True,)]
    assert parted.rows(
        "SELECT count(*) FILTER (NOT is_bot) > 300, count(*) FILTER (is_report) > 30,"
        " count(*) FILTER (has_late) > 300, count(*) FILTER (NOT has_late) > 300,"
        " count(*) FILTER (events > 3) > 100 FROM whole"
    ) == [(True,) * 5]
