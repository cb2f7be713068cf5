"""A start creates the views again only where they are not those of this version."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from warehouse_fixture import RULES

from pipeline.warehouse import views
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.sql import files

MARK = "COMMENT ON VIEW funnel IS 'as it was'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database whose view `funnel` bears a mark that goes when it is created again."""
    path = tmp_path / "live.duckdb"
    with connect_live(path, RULES) as connection:
        connection.execute(MARK)
    return path


def is_kept(connection: duckdb.DuckDBPyConnection) -> bool:
    text = "SELECT comment FROM duckdb_views() WHERE view_name = 'funnel'"
    return connection.execute(text).fetchall() == [("as it was",)]


def test_a_second_start_keeps_the_views(path: Path) -> None:
    with connect_live(path, RULES) as connection:
        assert is_kept(connection)


@pytest.mark.parametrize("folder", ["views", "macros", "migrations"])
def test_views_made_from_other_files_are_created_again(
    path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(name: str) -> list[tuple[str, str]]:
        return [*files(name), ("one_more", "")] if name == folder else files(name)

    monkeypatch.setattr(views, "files", changed)
    with connect_live(path, RULES) as connection:
        assert not is_kept(connection)
        connection.execute(MARK)
    with connect_live(path, RULES) as connection:
        assert is_kept(connection)


def test_views_made_by_another_duckdb_are_created_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb, "__version__", "another")
    with connect_live(path, RULES) as connection:
        assert not is_kept(connection)


@pytest.mark.parametrize(
    "change", ["DROP VIEW traffic", "CREATE OR REPLACE VIEW traffic AS SELECT 1 AS events"]
)
def test_a_view_that_was_dropped_or_replaced_is_created_again(path: Path, change: str) -> None:
    with duckdb.connect(path) as connection:
        before = connection.execute("DESCRIBE traffic").fetchall()
        connection.execute(change)
    with connect_live(path, RULES) as connection:
        assert connection.execute("DESCRIBE traffic").fetchall() == before
