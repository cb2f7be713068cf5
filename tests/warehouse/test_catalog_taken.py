"""The loader takes the catalogs of its home: whole, once, and however it is stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from catalogs import DRESS, HOME_PAGE, imported
from each_kill import Killer, Watched, forked
from kafka_outcomes import OutcomeTopics, loading, rows
from logged import logged
from processes import wait_for
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.warehouse.catalog.entries import CatalogError, Entry
from pipeline.warehouse.catalog.store_file import catalog_files, read_store
from pipeline.warehouse.catalog.taking import CatalogTaker
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.folder_lock import locked

HAT = Entry("product", "2", "Hat")
ALL = "SELECT store_id, id, title FROM catalog ORDER BY ALL"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path_factory.mktemp("made") / "live.duckdb")
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    return OutcomeTopics(settings)


@pytest.fixture
def live(made: Warehouse, tmp_path: Path) -> Path:
    """A home of its own for a database that all tests share."""
    made.clear()
    return tmp_path / "live.duckdb"


@pytest.fixture
def taker(made: Warehouse, live: Path) -> CatalogTaker:
    return CatalogTaker(made.connection, live)


def held(made: Warehouse) -> list[tuple[Any, ...]]:
    return made.rows(ALL)


def test_an_import_replaces_the_catalog_of_its_store_whole(
    made: Warehouse, live: Path, taker: CatalogTaker
) -> None:
    imported(live, DRESS, HOME_PAGE)
    imported(live, HAT, store="a/../b" * 100)
    assert taker.step()
    others = ("a/../b" * 100, "2", "Hat")
    assert held(made) == [others, ("shop", "1", "Linen dress"), ("shop", "home", "Home page")]
    imported(live, HAT)
    assert taker.step()
    assert held(made) == [others, ("shop", "2", "Hat")]
    imported(live)
    assert taker.step()
    assert held(made) == [others]
    stores = made.rows("SELECT store_id FROM catalog_imports ORDER BY ALL")
    assert stores == [(others[0],), ("shop",)]


def test_a_warehouse_that_begins_anew_has_it_again(
    made: Warehouse, live: Path, taker: CatalogTaker
) -> None:
    imported(live, DRESS)
    taker.step()
    made.clear()
    assert CatalogTaker(made.connection, live).step()
    assert held(made) == [("shop", "1", "Linen dress")]


def test_all_that_a_row_has_arrives(made: Warehouse, live: Path, taker: CatalogTaker) -> None:
    full = Entry("product", "1", "عطر", "https://a.example/1", "https://a.example/1.jpg", "عطور")
    imported(live, full)
    taker.step()
    assert made.rows("SELECT * EXCLUDE (store_id) FROM catalog") == [tuple(full)]


def test_a_catalog_that_is_there_already_is_not_taken_again(
    made: Warehouse, live: Path, taker: CatalogTaker
) -> None:
    imported(live, DRESS)
    assert taker.step()
    assert not taker.step()
    assert not CatalogTaker(made.connection, live).step()  # of the next process


def test_a_file_that_is_gone_takes_nothing_away(
    made: Warehouse, live: Path, taker: CatalogTaker
) -> None:
    imported(live, DRESS)
    taker.step()
    for path in catalog_files(live).values():
        path.unlink()
    assert not taker.step()
    assert not CatalogTaker(made.connection, live).step()
    assert held(made) == [("shop", "1", "Linen dress")]


@pytest.mark.parametrize("damage", [b"", b"PAR1 no parquet", b"cut"], ids=["empty", "other", "cut"])
def test_a_damaged_file_is_logged_once_and_the_store_keeps_what_it_has(
    made: Warehouse,
    live: Path,
    taker: CatalogTaker,
    damage: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    imported(live, DRESS)
    taker.step()
    (path,) = catalog_files(live).values()
    path.write_bytes(path.read_bytes()[:-50] if damage == b"cut" else damage)
    with pytest.raises(CatalogError, match="is damaged"):
        read_store(path)
    with caplog.at_level(logging.ERROR):
        assert not taker.step()
        assert not taker.step()
    assert [text.split(":")[0] for text in logged(caplog, "pipeline.warehouse")] == [
        "a catalog is not taken"
    ]
    assert held(made) == [("shop", "1", "Linen dress")]
    imported(live, HAT)
    assert taker.step()
    assert held(made) == [("shop", "2", "Hat")]


def test_a_kill_at_any_step_leaves_the_former_catalog_or_the_new_one(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    imported(live, DRESS, HOME_PAGE)
    with connect_live(live, RULES) as connection:
        CatalogTaker(connection, live).step()
    imported(live, HAT)

    def take(number: int) -> None:
        with duckdb.connect(live) as connection:
            watched: Any = Watched(connection, Killer(number))
            CatalogTaker(watched, live).step()

    former = [("shop", "1", "Linen dress"), ("shop", "home", "Home page")]
    killed = []
    while True:
        _, at = forked(lambda: take(len(killed) + 1))
        with duckdb.connect(live) as connection:
            found = connection.execute(ALL).fetchall()
        if not at:
            break
        killed.append(at)
        assert found == former, killed
    assert killed == ["DELETE", "INSERT", "DELETE", "INSERT", "COMMIT"]
    assert found == [("shop", "2", "Hat")]


def test_what_fails_leaves_the_former_catalog(
    made: Warehouse, live: Path, taker: CatalogTaker
) -> None:
    imported(live, DRESS)
    taker.step()
    imported(live, HAT)
    made.connection.execute("ALTER TABLE catalog_imports RENAME TO away")
    try:
        with pytest.raises(Exception, match="catalog_imports"):
            taker.step()
    finally:
        made.connection.execute("ALTER TABLE away RENAME TO catalog_imports")
    assert held(made) == [("shop", "1", "Linen dress")]


def test_one_import_at_a_time_and_a_killed_one_leaves_the_former(live: Path) -> None:
    imported(live, DRESS)
    (path,) = catalog_files(live).values()
    path.with_suffix(".new").write_bytes(b"of a killed one")
    assert [file.name for file in catalog_files(live).values()] == [path.name]
    with locked(path.parent), pytest.raises(DatabaseError, match="another process is writing"):
        imported(live, HAT)
    assert read_store(path).entries.to_pydict()["title"] == ["Linen dress"]
    imported(live, HAT)
    assert read_store(path).entries.to_pydict()["title"] == ["Hat"]


def test_the_database_that_an_erasure_writes_again_has_it(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    imported(live, DRESS)
    with connect_live(live, RULES) as connection:
        CatalogTaker(connection, live).step()
    compact(live, RULES)
    with connect_live(live, RULES) as connection:
        assert connection.execute(ALL).fetchall() == [("shop", "1", "Linen dress")]
        assert not CatalogTaker(connection, live).step()


def test_a_loader_publishes_what_is_imported_before_it_starts_and_while_it_runs(
    topics: OutcomeTopics,
) -> None:
    settings = topics.settings
    imported(settings.live_database, DRESS)

    def titles() -> list[Any]:
        return [title for _, _, title in rows(settings, ALL)] if settings.database.exists() else []

    with loading(settings):
        wait_for(lambda: titles() == ["Linen dress"])
        imported(settings.live_database, HAT)
        wait_for(lambda: titles() == ["Hat"])
