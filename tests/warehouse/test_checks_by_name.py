"""A migration puts a new column last, a recompute where it belongs: checks compare by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from factories import Log, cart, click, make_event
from warehouse_fixture import Warehouse

from pipeline.warehouse.sql import files

COMPARED = re.compile(
    r"WITH stored AS \([^)]*?(?:\)[^)]*?)?FROM (\w+)(?:\s+WHERE .*?)?\n?\),\n\nrecomputed"
)
STORED = {name: found[1] for name, text in files("checks") if (found := COMPARED.search(text))}
# Read together with the sessions that they lack.
STORED |= {name: name for name in ("summed_blended", "summed_searches")}


@pytest.fixture
def loaded(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "live.duckdb")
    log = Log(warehouse.rules)
    log.send(click(0, "token"), cart(1, "token"))
    log.send(
        {**cart(2), "event_type": "purchase", "price": "5", "currency": "USD", "quantity": 2},
        {**click(3, "token"), "position": 2},
    )
    log.send(click(90), device="d:other")
    shown = make_event("search", 0, query="shoe", attribution_token="token", product_id=None)
    log.send(shown, device="d:searching")
    log.send(click(400), device="d:next")  # the sessions before it are closed
    log.send(click(330), device="d:late")
    warehouse.load(log.outcomes)
    return warehouse


def test_the_tables_that_are_recomputed_are_found() -> None:
    texts = dict(files("checks"))
    assert STORED.keys() == {name for name, text in texts.items() if "EXCEPT ALL" in text}


@pytest.mark.parametrize("check", STORED)
def test_the_order_of_columns_does_not_matter_and_their_values_do(
    loaded: Warehouse, check: str
) -> None:
    table = STORED[check]
    columns = [row[0] for row in loaded.rows(f"DESCRIBE {table}")]
    assert loaded.rows(f"FROM {table}")
    turned = ", ".join(f'"{column}"' for column in reversed(columns))
    loaded.connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {turned} FROM {table}")
    assert loaded.broken() == {}
    loaded.connection.execute(f"UPDATE {table} SET store_id = 'other'")
    assert check in loaded.broken()
    loaded.connection.close()
