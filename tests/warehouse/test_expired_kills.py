"""A loader that is killed while rows expire leaves each day whole or gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from expired import DAYS, rejected, repeated
from expired_kills import WRITING
from factories import Log, purchase
from warehouse_fixture import RULES, Warehouse


def test_a_kill_at_any_statement_leaves_a_day_whole_or_gone(tmp_path: Path) -> None:
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
    script = Path(__file__).parents[1] / "expired_kills.py"
    done = subprocess.run(
        [sys.executable, str(script), str(home)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{script.parent}:{script.parents[1]}"},
    )
    kills = [line.split(": ", 1) for line in done.stdout.splitlines()]
    assert [each for each in kills if each[1:] != ["whole"]] == [], done.stdout
    assert kills[-1][0] == "the end", done.stderr
    assert {about for about, _ in kills[:-1]} == WRITING
