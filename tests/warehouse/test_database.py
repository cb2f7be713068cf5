"""Migrations once and unedited; every view and question runs, on nothing and on something."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from factories import Log, cart, click, make_event, purchase
from tables import broken_checks
from warehouse_fixture import RULES, Warehouse, called

from pipeline.domain import rules
from pipeline.warehouse import database
from pipeline.warehouse.aggregates import AGGREGATES, SUMS
from pipeline.warehouse.database import DatabaseError, connect_live, connect_published
from pipeline.warehouse.load.steps import load_steps
from pipeline.warehouse.queries import ask
from pipeline.warehouse.sql import FOLDER, files, table_macros


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.duckdb"


def test_a_second_start_migrates_nothing_and_keeps_the_rows(path: Path) -> None:
    with connect_live(path, RULES) as connection:
        connection.execute("INSERT INTO positions VALUES ('topic', 'id', 0, 7)")
        applied = connection.execute("FROM migrations").fetchall()
    with connect_live(path, RULES) as connection:
        assert connection.execute("FROM migrations").fetchall() == applied
        assert connection.execute("SELECT next_offset FROM positions").fetchall() == [(7,)]


def test_an_edited_migration_is_refused(path: Path) -> None:
    with connect_live(path, RULES) as connection:
        connection.execute("UPDATE migrations SET sha256 = 'other' WHERE name = '0001_tables'")
    with pytest.raises(DatabaseError, match="migration 0001_tables was edited"):
        connect_live(path, RULES)
    duckdb.connect(path).close()  # the refusal has let go of the file


def test_a_database_of_a_later_version_is_refused(path: Path) -> None:
    with connect_live(path, RULES) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999_later', 'x')")
    with pytest.raises(DatabaseError, match="9999_later, which this version does not know"):
        connect_live(path, RULES)


def test_a_warehouse_of_another_version_of_its_rules_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_live(path, RULES).close()
    monkeypatch.setattr(rules, "WAREHOUSE_VERSION", 0)
    with pytest.raises(DatabaseError, match="the workers keep their state"):
        connect_live(path, RULES)


def test_a_failing_migration_keeps_the_one_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect_live(path, RULES):
        pass
    broken_one = [
        *files("migrations"),
        ("0003_x", "CREATE TABLE x (a INT); CREATE TABLE x (b INT)"),
    ]
    monkeypatch.setattr(database, "files", lambda name: broken_one if name == "migrations" else [])
    with pytest.raises(duckdb.CatalogException):
        connect_live(path, RULES)
    monkeypatch.undo()
    with connect_live(path, RULES) as connection:
        assert "x" not in {name for (name,) in connection.execute("SHOW TABLES").fetchall()}


@pytest.fixture(params=["empty", "filled"])
def snapshot(request: pytest.FixtureRequest, path: Path) -> Path:
    warehouse = Warehouse(path)
    if request.param == "filled":
        log = Log(RULES)
        events = click(), make_event("search", 1, query="hat"), cart(2), purchase(3, order_id="1")
        warehouse.load([log.send(event) for event in events])
    warehouse.connection.close()
    return path


def test_every_view_query_and_check_runs(snapshot: Path) -> None:
    with connect_published(snapshot) as connection:
        for name, _ in files("views"):
            connection.execute(f"SELECT count(*) FROM {name}").fetchall()
        for name, text in files("queries"):
            ask(connection, name, {})
            if "$store" in text:
                ask(connection, name, {"store": "store"})
    assert broken_checks(snapshot) == []


def test_no_count_is_of_a_type_that_clients_round(snapshot: Path) -> None:
    """HUGEINT is a float in pandas, and no number at all in JDBC and JSON."""
    days = "DATE '2025-01-01', DATE '2026-01-01'"
    with connect_published(snapshot) as connection:
        asked = {name: f"FROM {name}" for name, _ in files("views")}
        asked |= {name: f"FROM {called(name, days)}" for name in table_macros()}
        asked |= {f"query {name}": text.rstrip().rstrip(";") for name, text in files("queries")}
        for name, text in asked.items():
            parameters = dict.fromkeys(re.findall(r"\$([a-z_]+)", text))
            columns = connection.execute(f"DESCRIBE {text}", parameters).fetchall()
            assert [column[0] for column in columns if "HUGEINT" in column[1]] == [], name


def test_views_work_in_any_client_without_our_macros(snapshot: Path) -> None:
    with duckdb.connect(snapshot, read_only=True) as connection:
        for name, _ in files("views"):
            connection.execute(f"SELECT count(*) FROM {name}").fetchall()


@pytest.mark.parametrize("folder", ["views", "queries", "checks", "load", "migrations", "rebuild"])
def test_every_file_starts_with_a_comment(folder: str) -> None:
    for name, text in files(folder):
        assert text.startswith("-- "), name
    assert {path.suffix for path in (FOLDER / folder).iterdir()} == {".sql"}


def test_a_published_file_cannot_be_written(snapshot: Path) -> None:
    with (
        connect_published(snapshot) as connection,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        connection.execute("DELETE FROM hot_events")


def test_every_file_of_a_load_is_a_step_once(path: Path) -> None:
    with connect_live(path, RULES) as connection:
        # Two steps have no statement: they only say near what the next ones read.
        steps = [step.name for step in load_steps(connection) if step.text]
    aggregates = {aggregate.name for aggregate in (*AGGREGATES, *SUMS)}
    loaded = [name for name in steps if name not in aggregates]
    assert sorted([*loaded, "staging_tables"]) == [name for name, _ in files("load")]
