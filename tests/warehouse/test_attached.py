"""All that a snapshot offers answers from that snapshot, whatever name it is attached under."""

from __future__ import annotations

from pathlib import Path

import duckdb
from factories import Log, make_event, purchase
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.database import connect_live
from pipeline.warehouse.sql import files


def filled(path: Path, purchases: int) -> None:
    token = {"attribution_token": "token"}
    log = Log(RULES)
    log.send(
        make_event("product_impression", 0, position=1, **token),
        *(
            purchase(1 + n, {"product_id": 1, "price": "10", **token}, order_id=str(n))
            for n in range(purchases)
        ),
    )
    warehouse = Warehouse(path)
    warehouse.load(log.outcomes)
    warehouse.connection.close()


def test_two_attached_snapshots_read_their_own_data(tmp_path: Path) -> None:
    for name, purchases in (("one", 1), ("two", 2)):
        filled(tmp_path / f"{name}.duckdb", purchases)
    with duckdb.connect() as connection:
        for name in ("one", "two"):
            connection.execute(f"ATTACH '{tmp_path / name}.duckdb' AS my_{name} (READ_ONLY)")
        connection.execute("USE my_one")
        for name, purchases in (("one", 1), ("two", 2)):
            for view, _ in files("views"):
                connection.execute(f"FROM my_{name}.{view}").fetchall()
            sums = f"SELECT sum(blended_order_lines) FROM my_{name}.kpis WHERE grain = 'all_tokens'"
            assert connection.execute(sums).fetchall() == [(purchases,)]
            money = (
                f"SELECT sum(blended_revenue) FROM my_{name}.kpi_revenue WHERE grain = 'all_tokens'"
            )
            assert connection.execute(money).fetchall() == [(10 * purchases,)]


def test_a_snapshot_has_no_table_macros_because_they_bind_to_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "live.duckdb"
    connect_live(path, RULES).close()
    with duckdb.connect(path) as connection:  # as an earlier version made it
        connection.execute("CREATE OR REPLACE MACRO kpis(first_day) AS TABLE FROM sessions")
    connect_live(path, RULES).close()
    kinds = "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro'"
    with duckdb.connect(path, read_only=True) as connection:
        made = connection.execute(f"{kinds} AND database_name = 'live'").fetchall()
    assert made == []
