"""What `pipeline status --disk` says a home takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import Log, click
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.status.disk import disk_use

# More than a block takes.
ROWS = 200_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a snapshot of many duplicates, of which half were deleted."""
    made = Settings(_env_file=None, home=tmp_path)
    warehouse = Warehouse(made.database)
    warehouse.load([Log(RULES).send(click())])
    warehouse.connection.execute(
        "INSERT INTO duplicates SELECT 'store', uuid(), 'exact', now(), 0, range, NULL"
        f" FROM range({ROWS}); CHECKPOINT"
    )
    warehouse.connection.execute(f'DELETE FROM duplicates WHERE "offset" < {ROWS} / 2')
    warehouse.connection.execute("CHECKPOINT")
    warehouse.connection.close()
    return made


def used(settings: Settings) -> dict[str, int]:
    return dict(disk_use(settings).rows)


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def test_tables_and_free_blocks_are_the_snapshot(settings: Settings) -> None:
    found = used(settings)
    tables = {what: size for what, size in found.items() if what.startswith("table ")}
    assert max(tables, key=lambda what: tables[what]) == "table duplicates"
    # Two columns differ from row to row.
    assert tables["table duplicates"] >= ROWS / 2 * 16
    assert found["free blocks in the snapshot"] > 0
    rest = found["snapshot"] - found["free blocks in the snapshot"]
    assert tables["table duplicates"] <= rest


def test_each_file_of_the_home_is_of_one_part(settings: Settings) -> None:
    live, home = settings.live_database, settings.home
    written = {
        "live database": live,
        "live database, log": live.with_name("live.duckdb.wal"),
        "snapshots kept": home / "analytics.duckdb.1",
        "snapshot being copied": home / "analytics.duckdb.77.copy",
        "archive": home / "archive" / "id" / "events" / "day=2026-01-01" / "x.parquet",
        "what exceeds the loader's memory": home / "tmp" / "live-0" / "x",
        "spool": home / "spool" / "0.db",
        "workers' state": home / "state" / "0-0" / "data.mdb",
        "embedded Kafka": home / "kafka" / "data" / "beacons-0" / "0.log",
    }
    for number, path in enumerate(written.values(), start=1):
        write(path, number)
    # Takes the place of a log, and points nowhere.
    (home / "analytics.duckdb.wal").symlink_to("/nonexistent/log")
    write(home / "analytics.duckdb.2", 100)
    found = used(settings)
    expected = {what: number for number, what in enumerate(written, start=1)}
    assert {what: found[what] for what in written} == {**expected, "snapshots kept": 103}
    assert found["snapshot"] == settings.database.stat().st_size


def test_a_home_before_the_first_snapshot_is_no_error(tmp_path: Path) -> None:
    found = used(Settings(_env_file=None, home=tmp_path / "none"))
    assert set(found.values()) == {0}
    assert not any(what.startswith("table ") for what in found)
