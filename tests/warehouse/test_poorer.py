"""A snapshot is replaced by one that holds as much of the log, and earlier ones are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from warehouse_fixture import Warehouse

from pipeline.warehouse.database import connect_published
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher
from pipeline.warehouse.snapshots.reach import Reach, lost
from pipeline.warehouse.snapshots.snapshot_files import KEEP_EVERY

OLD = Reach({("id", 0): (5, 10), ("id", 1): (0, 3)})


@pytest.mark.parametrize(
    ("new", "missing"),
    [
        (OLD.spans, None),
        (OLD.spans | {("id", 0): (0, 12), ("id", 2): (9, 10)}, None),
        (OLD.spans | {("id", 0): (6, 12)}, "partition 0 of topic id from offset 5"),
        (OLD.spans | {("id", 1): (0, 2)}, "partition 1 of topic id up to offset 3"),
        ({("id", 0): (5, 10)}, "partition 1 of topic id from offset 0"),
        ({("other", 0): (5, 10)}, "partition 0 of topic id from offset 5"),
        ({}, "partition 0 of topic id from offset 5"),
    ],
    ids=["same", "more", "begins later", "ends earlier", "partition", "topic", "nothing"],
)
def test_less_of_the_log_is_a_loss(
    new: dict[tuple[str, int], tuple[int, int]], missing: str | None
) -> None:
    assert lost(OLD, Reach(new)) == missing


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return tmp_path / "analytics.duckdb"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path / "live.duckdb")
    yield warehouse
    warehouse.connection.close()


def holds(warehouse: Warehouse, first: int, end: int) -> None:
    warehouse.connection.execute(
        "DELETE FROM ledger; INSERT INTO ledger BY NAME SELECT 'id' AS topic_id, 0 AS partition,"
        f" {first} AS first_origin, {end} AS next_origin, 0 AS records, 0 AS events,"
        " 0 AS duplicates, 0 AS failed, 0 AS erased"
    )


def reaches(path: Path) -> tuple[int, int]:
    with connect_published(path) as connection:
        return Reach.of(connection).spans["id", 0]


@pytest.mark.parametrize(("span", "words"), [((1, 9), "from offset 0"), ((0, 8), "up to offset 9")])
def test_a_live_file_that_holds_less_does_not_replace_the_snapshot_of_another(
    warehouse: Warehouse, snapshot: Path, tmp_path: Path, span: tuple[int, int], words: str
) -> None:
    holds(warehouse, 0, 9)
    SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot).publish()
    fresh = Warehouse(tmp_path / "fresh.duckdb")
    with fresh.connection:
        holds(fresh, *span)
        publisher = SnapshotPublisher(fresh.connection, tmp_path / "fresh.duckdb", snapshot)
        advice = rf"{words}, and \S+fresh.duckdb does not: .*rebuild --from-snapshot`\), or move"
        with pytest.raises(PublishError, match=advice):
            publisher.publish()
        assert reaches(snapshot) == (0, 9)
        holds(fresh, 0, 10)
        publisher.publish()
        assert reaches(snapshot) == (0, 10)


def test_a_file_that_is_no_snapshot_is_not_replaced(
    warehouse: Warehouse, snapshot: Path, tmp_path: Path
) -> None:
    snapshot.write_text("mine" * 10_000)
    with pytest.raises(PublishError, match=r"is not a snapshot that can be read .*: move it away$"):
        SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot).publish()
    assert snapshot.read_text() == "mine" * 10_000


def test_one_snapshot_of_each_of_the_last_days_is_kept(
    warehouse: Warehouse, snapshot: Path, tmp_path: Path
) -> None:
    publisher = SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot, kept=2)
    first_day = 1_700_000_000

    def publish(end: int, *, at: float) -> None:
        holds(warehouse, 0, end)
        publisher.publish()
        os.utime(snapshot, (at, at))

    publish(1, at=first_day)
    publish(2, at=first_day + 5)
    publish(3, at=first_day + KEEP_EVERY - 1)
    publish(4, at=first_day + KEEP_EVERY)
    publish(5, at=first_day + KEEP_EVERY + 5)
    one, two, three = (snapshot.with_name(f"analytics.duckdb.{n}") for n in (1, 2, 3))
    assert [reaches(path)[1] for path in (snapshot, one, two)] == [5, 4, 1]
    publish(6, at=first_day + 2 * KEEP_EVERY)
    publish(7, at=first_day + 2 * KEEP_EVERY + 5)
    assert [reaches(path)[1] for path in (snapshot, one, two)] == [7, 6, 4]
    assert not three.exists()


def test_no_snapshot_is_kept_with_kept_0(
    warehouse: Warehouse, snapshot: Path, tmp_path: Path
) -> None:
    publisher = SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot, kept=0)
    publisher.publish()
    publisher.publish()
    assert [path.name for path in tmp_path.glob("analytics*") if path.exists()] == [snapshot.name]
