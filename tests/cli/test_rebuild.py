"""`pipeline rebuild`: with the loader stopped, and in one line where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import RULES, Log, visit
from processes import Pipeline
from warehouse_fixture import Warehouse

from pipeline.warehouse.database import connect_live


@pytest.fixture
def live(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    warehouse, log = Warehouse(home / "live.duckdb", RULES), Log(RULES)
    visit(log)
    warehouse.load(log.outcomes)
    warehouse.connection.execute("DELETE FROM conversion_facts")
    warehouse.connection.close()
    return home / "live.duckdb"


def check(pipeline: Pipeline, database: Path) -> int:
    return pipeline("check", "--database", str(database)).returncode


def test_it_mends_the_live_database(pipeline: Pipeline, live: Path) -> None:
    assert check(pipeline, live) == 1
    done = pipeline("rebuild")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("live.duckdb is rebuilt and every check holds: start the loader\n")
    assert check(pipeline, live) == 0


def test_it_starts_from_the_snapshot(pipeline: Pipeline, live: Path) -> None:
    live.rename(live.with_name("analytics.duckdb"))
    done = pipeline("rebuild")
    assert (done.returncode, "`pipeline rebuild --from-snapshot`" in done.stderr) == (1, True)
    assert pipeline("rebuild", "--from-snapshot").returncode == 0
    assert check(pipeline, live) == 0


def test_it_is_refused_while_a_loader_runs(pipeline: Pipeline, live: Path) -> None:
    with connect_live(live, RULES):
        done = pipeline("rebuild")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is another loader running?" in done.stderr
