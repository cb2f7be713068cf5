"""`pipeline rules`: what is compared, what would change, and what the warehouse alone can adopt."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from factories import MORNING, RULES, Log, make_event, purchase, visit
from processes import Pipeline
from warehouse_fixture import Warehouse

from pipeline.warehouse.database import connect_live
from pipeline.warehouse.sql import files

ZONES = """
[stores.kiosk]
tokens_sha256 = []
timezone = "Asia/Tokyo"

[stores.other]
tokens_sha256 = []
timezone = "Europe/Berlin"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse of one visit of six minutes and an order, and its snapshot."""
    home = tmp_path / "home"
    home.mkdir()
    warehouse, log = Warehouse(home / "live.duckdb", RULES), Log(RULES)
    visit(log)
    log.send(make_event(minute=10), device="d:other", store="kiosk")
    log.send(purchase(0, order_id="1"), device="d:other", store="kiosk")
    warehouse.load(log.outcomes)
    warehouse.connection.close()
    (home / "analytics.duckdb").write_bytes((home / "live.duckdb").read_bytes())
    return home


def lines(text: str) -> list[list[str]]:
    """The cells of the rows of all tables."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.splitlines()
        if line.startswith("│")
    ]


def test_show_compares_settings_and_zones(pipeline: Pipeline, home: Path) -> None:
    (home / "stores.toml").write_text(ZONES)
    done = pipeline("rules", "show", lookback="P1D")
    assert done.returncode == 0, done.stderr
    shown = {row[0]: row[1:] for row in lines(done.stdout)}
    assert shown["gap"] == ["0:30:00", "0:30:00"]
    assert shown["lookback"] == ["7 days, 0:00:00", "1 day, 0:00:00"]
    assert shown["stream digest"][0] == RULES.digest() != shown["stream digest"][1]
    assert shown["warehouse digest"] == [RULES.warehouse_digest()] * 2
    newest = max(dict(files("migrations")))
    assert shown["newest migration"] == [newest, newest]
    assert shown["store"] == ["UTC", ""]
    assert shown["kiosk"] == ["UTC", "Asia/Tokyo"]


def test_show_tells_whether_the_loader_would_change_the_tables(
    pipeline: Pipeline, home: Path
) -> None:
    with duckdb.connect(home / "live.duckdb") as live:
        live.execute("DELETE FROM migrations WHERE name > '0020'")
    shown = {row[0]: row[1:] for row in lines(pipeline("rules", "show").stdout)}
    held, ours = shown["newest migration"]
    assert held < "0020" < ours == max(dict(files("migrations")))


def test_show_reads_the_snapshot_while_a_loader_runs(pipeline: Pipeline, home: Path) -> None:
    with connect_live(home / "live.duckdb", RULES):
        done = pipeline("rules", "show")
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout)[0] == ["gap", "0:30:00", "0:30:00"]


def named(home: Path) -> list[str]:
    """What is in `home`, but for the folder of DuckDB's temporary files."""
    return sorted(path.name for path in home.iterdir() if path.name != "tmp")


def test_plan_shows_totals_and_days_that_change_and_writes_nothing(
    pipeline: Pipeline, home: Path
) -> None:
    snapshot, names = (
        (home / "analytics.duckdb").read_bytes(),
        named(home),
    )
    # While a loader runs.
    with connect_live(home / "live.duckdb", RULES):
        done = pipeline("rules", "plan", session_gap="PT1S")
    assert (done.returncode, done.stderr) == (0, "")
    day = str(datetime.fromtimestamp(MORNING / 1000, UTC).date())
    assert ["store", "sessions", "1", "5"] in lines(done.stdout)
    assert ["store", day, "sessions", "1", "5"] in lines(done.stdout)
    assert ["store", "revenue USD", "10", "10"] in lines(done.stdout)
    assert not [row for row in lines(done.stdout) if row[2] == "revenue USD"]
    assert (home / "analytics.duckdb").read_bytes() == snapshot
    assert named(home) == names
    assert pipeline("rules", "plan").stdout.endswith("no day changes\n")


@pytest.mark.usefixtures("home")
def test_plan_prints_one_json_object(pipeline: Pipeline) -> None:
    done = pipeline("rules", "plan", "--json", session_gap="PT1S")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    day = str(datetime.fromtimestamp(MORNING / 1000, UTC).date())
    sessions = {"store_id": "store", "figure": "sessions", "before": "1", "after": "5"}
    assert sessions in found["totals"]
    assert {**sessions, "day": day} in found["days"]
    assert json.loads(pipeline("rules", "plan", "--json").stdout)["days"] == []


def test_zones_are_adopted_without_the_workers(pipeline: Pipeline, home: Path) -> None:
    (home / "stores.toml").write_text(ZONES)
    done = pipeline("rules", "adopt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("start the loader and the workers\n")
    with connect_live(home / "live.duckdb", RULES) as connection:
        zones = connection.execute("SELECT store_id, timezone FROM stores ORDER BY ALL").fetchall()
        assert zones == [("kiosk", "Asia/Tokyo"), ("store", "UTC")]
        assert connection.execute("SELECT len(former) FROM rules").fetchall() == [(0,)]
        missing = "SELECT DISTINCT missing_until FROM ledger"
        assert connection.execute(missing).fetchall() == [(None,)]
        hours = "SELECT DISTINCT hour(occurred_at) - hour FROM events WHERE store_id = 'kiosk'"
        assert connection.execute(hours).fetchall() in ([(-9,)], [(15,)])
    assert pipeline("check", "--database", str(home / "live.duckdb")).returncode == 0


def test_rules_of_the_warehouse_alone_are_adopted_without_kafka(
    pipeline: Pipeline, home: Path
) -> None:
    with duckdb.connect(home / "live.duckdb") as connection:
        connection.execute("UPDATE rules SET warehouse_digest = 'earlier'")
    done = pipeline("rebuild")
    assert done.returncode == 1
    assert "`pipeline rules adopt` adopts it; the workers keep their state" in done.stderr
    assert pipeline("rules", "adopt").returncode == 0
    assert pipeline("rebuild").returncode == 0


def test_rules_of_the_stream_need_kafka_before_anything_is_built(
    pipeline: Pipeline, home: Path
) -> None:
    done = pipeline("rules", "adopt", session_gap="PT10M", kafka_bootstrap_servers="127.0.0.1:9")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1:9" in done.stderr
    connect_live(home / "live.duckdb", RULES).close()
    assert named(home) == ["analytics.duckdb", "live.duckdb"]
