"""A loader that is killed while rows expire leaves each day whole or gone."""

from __future__ import annotations

from pathlib import Path

from each_kill import assert_whole_after
from expired import DAYS, rejected, repeated
from expired_kills import WRITING
from factories import Log, purchase
from warehouse_fixture import RULES, Warehouse


def test_a_kill_at_any_statement_leaves_a_day_whole_or_gone(tmp_path: Path, every: int) -> None:
    home = tmp_path / "home"
    warehouse = Warehouse(home / "live.duckdb")
    logs = [Log(RULES, 0), Log(RULES, 1)]
    for partition, log in enumerate(logs):
        for number in (0, 40):
            repeated(log, number, device=f"d:{partition}")
            bought = purchase(number * DAYS, order_id=f"{partition}-{number}")
            log.send(bought, device=f"d:buyer-{partition}")
    warehouse.load([outcome for log in logs for outcome in log.outcomes])
    warehouse.load_rejected([rejected(0), rejected(40)])
    warehouse.connection.close()
    assert_whole_after("expired_kills.py", home, every=every, kills=WRITING)
