"""A reader's connection reads its snapshot and nothing else, and no answer takes for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from warehouse_fixture import Warehouse

from pipeline.dashboard.snapshot import SnapshotReader
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.limits import LimitError, limited
from pipeline.warehouse.snapshots.reach import Reach

Ask = Callable[[str], list[tuple[Any, ...]]]
# Some ten seconds of work: a test that fails still ends.
LONG = "SELECT count(*) FROM range(1000000000) AS r (x) WHERE x % 7 = 3"
LARGE = "SELECT list(x || 'of some length, so that it fills memory') FROM range(3000000) AS r (x)"
MEMORY = 64 * 1024 * 1024


@pytest.fixture(params=["query", "dashboard"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Asks as `pipeline query` does, or as the dashboard."""
    path = tmp_path / "analytics.duckdb"
    Warehouse(path).connection.close()

    def of_query(text: str) -> list[tuple[Any, ...]]:
        with connect_published(path, memory=MEMORY) as connection:
            return connection.execute(text).fetchall()

    snapshot = SnapshotReader(path, memory=MEMORY)

    def of_dashboard(text: str) -> list[tuple[Any, ...]]:
        return snapshot.read(lambda connection: connection.execute(text).fetchall()).value

    return of_query if request.param == "query" else of_dashboard


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_csv('/etc/passwd')",
        "FROM read_text('/etc/passwd')",
        "FROM glob('/etc/*')",
        "COPY events TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/other.duckdb'",
        "ATTACH '{folder}/there.duckdb' (READ_ONLY)",
        "SET memory_limit = '99GB'",
        "SET enable_external_access = true",
        "RESET memory_limit",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FROM read_text('{folder}/archive/../there.duckdb')",
        "DELETE FROM hot_events",
    ],
)
def test_anything_but_reading_the_snapshot_is_refused(
    ask: Ask, tmp_path: Path, statement: str
) -> None:
    duckdb.connect(tmp_path / "there.duckdb").close()
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
        ask(statement.format(folder=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == before


def test_the_snapshot_can_be_read(ask: Ask) -> None:
    assert ask("SELECT count(*) FROM events") == [(0,)]


def test_memory_is_limited(ask: Ask) -> None:
    with pytest.raises(duckdb.OutOfMemoryException):
        ask(LARGE)


def test_an_endless_query_fails_with_the_setting_to_change() -> None:
    with duckdb.connect() as connection:
        with (
            pytest.raises(LimitError, match=r"^no answer within 0.2 s: .*PIPELINE_QUERY_TIMEOUT$"),
            limited(connection, timedelta(seconds=0.2)),
        ):
            connection.execute(LONG).fetchall()
        # And the connection is as before.
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_statement_begun_after_the_time_limit_is_interrupted() -> None:
    """An interrupt that meets a connection between two statements has no effect."""

    def late(connection: duckdb.DuckDBPyConnection) -> None:
        with limited(connection, timedelta(milliseconds=1)):
            sum(range(5_000_000))
            connection.execute(LONG).fetchall()

    with duckdb.connect() as connection, pytest.raises(LimitError):
        late(connection)


def test_a_query_with_too_much_memory_fails_with_the_setting_to_change() -> None:
    with (
        duckdb.connect(config={"memory_limit": f"{MEMORY}B"}) as connection,
        pytest.raises(LimitError, match=r"^not enough memory .*PIPELINE_QUERY_MEMORY_BYTES$"),
        limited(connection, timedelta(minutes=2)),
    ):
        connection.execute(LARGE).fetchall()


def test_readers_in_one_process_do_not_affect_each_other(tmp_path: Path) -> None:
    path = tmp_path / "analytics.duckdb"
    Warehouse(path).connection.close()
    with connect_published(path), connect_published(path, memory=MEMORY) as other:
        assert Reach.of_file(path).spans == {}
        assert other.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
