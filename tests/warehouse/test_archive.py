"""Events in files are the same events: each row, column and type, wherever it is."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, date
from pathlib import Path

import duckdb
import pytest
from archive_kills import EXPECTED
from archived import FIRST, contents, day, flip, freeze, merge
from each_kill import CALLS, STATEMENTS, assert_whole_after
from factories import DAY, MINUTE, Log, click, make_event, purchase
from warehouse_fixture import RULES, Warehouse

from pipeline.status import ArchiveState, read_snapshot
from pipeline.warehouse import database
from pipeline.warehouse.archive.freezing import Freezer, Span
from pipeline.warehouse.archive.integrity import damaged_of
from pipeline.warehouse.archive.leftovers import Leftovers
from pipeline.warehouse.database import DatabaseError, connect_live, connect_published
from pipeline.warehouse.manifest import ArchiveError, archive_files, archive_folder
from pipeline.warehouse.queries import broken
from pipeline.warehouse.rebuild.adopt import plan
from pipeline.warehouse.rebuild.rebuild import rebuild
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher
from pipeline.warehouse.sql import files

DAYS = DAY // MINUTE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.duckdb"


@pytest.fixture
def folder(path: Path) -> Path:
    return archive_folder(path)


@pytest.fixture
def log() -> Log:
    return Log(RULES)


@pytest.fixture
def warehouse(path: Path, log: Log) -> Warehouse:
    """Three days of a device."""
    made = Warehouse(path)
    made.load(
        log.send(
            make_event("search", number * DAYS, query="hat"),
            click(number * DAYS + 1),
            purchase(number * DAYS + 2, order_id=str(number)),
        )
        for number in range(3)
    )
    return made


# A row of the smallest and one of the largest values, and one of as little as may be.
EXTREMES = """
    SELECT * EXCLUDE (i) REPLACE (
        CASE i WHEN 1 THEN TIMESTAMP '0001-01-01' ELSE TIMESTAMP '9999-12-31 23:59:59.999' END
            AS occurred_at,
        CASE i WHEN 1 THEN '00000000-0000-0000-0000-000000000000'::UUID
            ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID END AS event_key,
        CASE i WHEN 1 THEN -9223372036854775808 ELSE 9223372036854775807 END AS product_id,
        CASE i WHEN 1 THEN -99999999999999.9999 ELSE 99999999999999.9999 END AS price,
        CASE i WHEN 1 THEN 0 ELSE 255 END AS hour,
        CASE i WHEN 1 THEN '' ELSE 'ß🧢' || chr(0) || chr(10) || '''' END AS query,
        CASE i WHEN 1 THEN [] ELSE [
            NULL,
            {'product_id': NULL, 'variant_id': 1, 'quantity': 2, 'price': 0.0001,
                'attribution_token': ''}
        ] END AS items,
        CASE i WHEN 1 THEN [] ELSE ['', NULL, 'a: b'] END AS repairs,
        CASE i WHEN 1 THEN '{}' ELSE '{"a":[1e400,null,"\\u0000"]}' END::JSON AS extra,
        i = 1 AS is_prefetch
    )
    FROM hot_events, (VALUES (1), (2)) AS t (i)
    WHERE event_type = 'search' AND "offset" = 0
"""


def types(warehouse: Warehouse, relation: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in warehouse.rows(f"DESCRIBE {relation}")]


def test_each_column_comes_back_as_it_was(warehouse: Warehouse, folder: Path) -> None:
    connection = warehouse.connection
    columns = "SELECT column_name FROM (DESCRIBE hot_events) WHERE \"null\" = 'YES'"
    optional = [name for (name,) in warehouse.rows(columns) if name != "day"]
    nothing = ", ".join(f'NULL AS "{name}"' for name in optional)
    connection.execute(f"INSERT INTO hot_events {EXTREMES}")
    connection.execute(
        f"INSERT INTO hot_events SELECT * REPLACE ({nothing}) FROM hot_events"
        " WHERE event_type = 'product_click' LIMIT 1"
    )
    described = types(warehouse, "events")
    before = contents(connection)
    for span in (day(0), day(1), Span(date(2025, 11, 1), date(2025, 11, 30))):
        freeze(connection, folder, span)
        assert contents(connection) == before
        assert types(warehouse, "events") == described
    assert warehouse.rows("SELECT count(*) FROM hot_events") == [(0,)]
    merge(connection, folder, day(0).month)
    assert len(archive_files(connection)) == 1
    assert contents(connection) == before
    assert types(warehouse, "events") == described == types(warehouse, "hot_events")


def test_rows_that_come_while_a_file_is_written_stay_hot(
    warehouse: Warehouse, log: Log, folder: Path
) -> None:
    freezer = Freezer(folder)
    written = freezer.freeze(warehouse.connection, day(0))
    assert written is not None
    warehouse.load([log.send(click(5, "late"), device="d:other")])
    before = contents(warehouse.connection)
    assert freezer.name(warehouse.connection, written)
    assert contents(warehouse.connection) == before
    late = "SELECT attribution_token FROM hot_events WHERE day = $1"
    assert warehouse.connection.execute(late, [FIRST]).fetchall() == [("late",)]
    assert not warehouse.broken()
    # They become one more file of the day, and then one with the other.
    freeze(warehouse.connection, folder, day(0))
    assert contents(warehouse.connection) == before
    merged = merge(warehouse.connection, folder, day(0))
    assert (merged.events, archive_files(warehouse.connection)) == (4, [merged])
    assert contents(warehouse.connection) == before


def test_the_rows_of_a_device_are_together_by_day(
    warehouse: Warehouse, log: Log, folder: Path
) -> None:
    def is_sorted(name: str) -> bool:
        columns = "day, store_id, device_key, occurred_at"
        found = warehouse.rows(f"SELECT {columns} FROM read_parquet('{folder / name}')")
        return found == sorted(found)

    for device in ("d:z", "d:a", "d:m"):
        warehouse.load(log.send(click(number * DAYS + 7), device=device) for number in (2, 0, 1))
    for number in (1, 2, 0):
        assert is_sorted(freeze(warehouse.connection, folder, day(number)).name)
    warehouse.load([log.send(click(DAYS + 3), device="d:b")])
    freeze(warehouse.connection, folder, day(1))
    assert is_sorted(merge(warehouse.connection, folder, day(1)).name)
    merged = merge(warehouse.connection, folder, day(0).month)
    assert merged.events == 19
    assert is_sorted(merged.name)


def test_a_file_with_a_row_that_was_erased_meanwhile_is_dropped(
    warehouse: Warehouse, log: Log, folder: Path
) -> None:
    freezer = Freezer(folder)
    written = freezer.freeze(warehouse.connection, day(0))
    assert written is not None
    warehouse.connection.execute("DELETE FROM hot_events WHERE event_type = 'search'")
    # As many rows as before.
    warehouse.load([log.send(click(5), device="d:other")])
    before = contents(warehouse.connection)
    assert not freezer.name(warehouse.connection, written)
    assert contents(warehouse.connection) == before
    assert archive_files(warehouse.connection) == []
    assert not (folder / written.file.name).exists()


def test_what_is_not_there_makes_no_file(warehouse: Warehouse, folder: Path) -> None:
    assert Freezer(folder).freeze(warehouse.connection, day(9)) is None
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def scanned(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """How many files each scan of Parquet files reads."""
    plan = connection.execute(f"EXPLAIN ANALYZE {query}").fetchall()[0][1]
    return [line.split(":")[1].strip("│ ") for line in plan.splitlines() if "Total Files" in line]


@pytest.mark.parametrize(
    ("condition", "read"),
    [
        ("day = DATE '2025-11-25'", ["1"]),
        ("day BETWEEN DATE '2025-11-24' AND DATE '2025-11-25'", ["2"]),
        ("day IN (DATE '2025-11-24', DATE '2025-11-27')", ["1"]),
        ("day >= DATE '2025-11-27'", []),
        ("occurred_at >= TIMESTAMP '2025-11-27'", []),
        ("occurred_at < TIMESTAMP '2025-11-24'", []),
        ("true", ["3"]),
    ],
)
def test_a_query_opens_only_the_files_of_its_days(
    warehouse: Warehouse, folder: Path, condition: str, read: list[str]
) -> None:
    for number in range(3):
        freeze(warehouse.connection, folder, day(number))
    query = f"SELECT event_type, count(*) FROM events WHERE {condition} GROUP BY ALL"
    assert scanned(warehouse.connection, query) == read


def test_a_migration_may_add_a_column(
    warehouse: Warehouse, folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(warehouse.connection, folder, day(0))
    warehouse.connection.close()
    added = [*files("migrations"), ("9999_x", "ALTER TABLE hot_events ADD COLUMN coupon VARCHAR")]
    monkeypatch.setattr(
        database, "files", lambda name: added if name == "migrations" else files(name)
    )
    with connect_live(path, RULES) as connection:
        connection.execute("UPDATE hot_events SET coupon = 'SPRING'")
        freeze(connection, folder, day(1))
        coupons = "SELECT day, any_value(coupon) FROM events GROUP BY ALL ORDER BY ALL"
        expected = [(FIRST, None), (day(1).first, "SPRING"), (day(2).first, "SPRING")]
        assert connection.execute(coupons).fetchall() == expected
        merge(connection, folder, day(0).month)
        assert connection.execute(coupons).fetchall() == expected


def test_a_migration_that_changes_a_column_is_refused(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    freeze(warehouse.connection, folder, day(0))
    warehouse.connection.execute("ALTER TABLE hot_events RENAME COLUMN city TO town")
    warehouse.connection.close()
    with pytest.raises(DatabaseError, match="a migration may only add columns"):
        connect_live(path, RULES)


def test_a_snapshot_answers_from_its_archive_and_reads_nothing_else(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    before = contents(warehouse.connection)
    freeze(warehouse.connection, folder, day(0))
    (path.parent / "other.parquet").write_bytes(next(folder.rglob("*.parquet")).read_bytes())
    snapshot = path.with_name("analytics.duckdb")
    SnapshotPublisher(warehouse.connection, path, snapshot).publish()
    with connect_published(snapshot) as reader:
        assert contents(reader) == before
        assert {name for name, answer in broken(reader).items() if answer.rows} == set()
        for other in (f"{path.parent}/other.parquet", f"{folder}/../other.parquet"):
            with pytest.raises(duckdb.PermissionException):
                reader.execute(f"FROM read_parquet('{other}')")


def test_status_tells_of_the_archive(warehouse: Warehouse, folder: Path, path: Path) -> None:
    newest = warehouse.rows("SELECT max(received_at) FROM events")[0][0]
    bytes_ = 0
    for number in range(3):
        bytes_ += freeze(warehouse.connection, folder, day(number)).bytes
    SnapshotPublisher(warehouse.connection, path, path.with_name("analytics.duckdb")).publish()
    found = read_snapshot(
        path.with_name("analytics.duckdb"), beacons="b", rejected="r", ids={"b": "x", "r": "y"}
    )
    assert found is not None
    assert found.archive == ArchiveState(3, 9, bytes_, FIRST, day(2).first)
    assert found.newest_received_at == newest.replace(tzinfo=UTC)


def test_a_snapshot_that_was_copied_says_where_it_expects_its_archive(tmp_path: Path) -> None:
    homes = [tmp_path / name for name in ("the shop's", "copy")]
    first = Warehouse(homes[0] / "live.duckdb")
    first.load([Log(RULES).send(click(), click(DAYS))])
    snapshot = first.path.with_name("analytics.duckdb")
    publisher = SnapshotPublisher(first.connection, first.path, snapshot)
    publisher.publish()
    shutil.copytree(homes[0], tmp_path / "hot", symlinks=True)
    with connect_published(tmp_path / "hot" / snapshot.name) as reader:  # it has no archive
        assert reader.execute("SELECT count(*) FROM events").fetchall() == [(2,)]
    freeze(first.connection, archive_folder(first.path), day(0))
    publisher.publish()
    connect_published(snapshot).close()
    shutil.copytree(homes[0], homes[1], symlinks=True)
    expected = f"copy/analytics.duckdb expects its archive at {homes[0]}/archive, and was moved or"
    with pytest.raises(DatabaseError, match=expected):
        connect_published(homes[1] / snapshot.name)


def test_a_snapshot_without_its_archive_says_where_it_expects_it(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    file = freeze(warehouse.connection, folder, day(0))
    snapshot = path.with_name("analytics.duckdb")
    SnapshotPublisher(warehouse.connection, path, snapshot).publish()
    shutil.rmtree(folder)
    with duckdb.connect(snapshot, read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM sessions").fetchall() == [(3,)]
        with pytest.raises(duckdb.IOException, match=f'No files found .* "{folder / file.name}"'):
            reader.execute("SELECT count(*) FROM events")
    with pytest.raises(DatabaseError, match=f'without its archive: .* "{folder / file.name}"'):
        connect_published(snapshot)


def test_the_files_are_for_the_readers_of_snapshots(warehouse: Warehouse, folder: Path) -> None:
    freezer = Freezer(folder, mode=0o440)
    written = freezer.freeze(warehouse.connection, day(0))
    assert written is not None
    file = folder / written.file.name
    assert stat.S_IMODE(file.stat().st_mode) == 0o440
    folders = [each for each in file.parents if folder in (each, *each.parents)]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folders} == {0o750}


DAMAGE = {
    "missing": (lambda file: file.unlink(), r"events are missing: .*\.parquet \(No such file"),
    "cut": (lambda file: os.truncate(file, 99), r"\.parquet has 99 bytes instead of \d+: restore"),
    "no Parquet": (
        lambda file: file.write_bytes(bytes(file.stat().st_size)),
        r"damaged: .*\.parquet should hold 3 rows \(",
    ),
}


@pytest.mark.parametrize(("damage", "error"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_named_and_nothing_starts(
    warehouse: Warehouse, folder: Path, path: Path, damage: object, error: str
) -> None:
    freeze(warehouse.connection, folder, day(0))
    file = folder / freeze(warehouse.connection, folder, day(1)).name
    file.chmod(0o600)
    damage(file)
    warehouse.connection.close()
    with pytest.raises(DatabaseError, match=error):
        connect_live(path, RULES)


def test_a_byte_that_changed_is_found_by_its_sum_and_nothing_is_made_of_it(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    freeze(warehouse.connection, folder, day(0))
    file = folder / freeze(warehouse.connection, folder, day(1)).name
    snapshot = path.with_name("analytics.duckdb")
    SnapshotPublisher(warehouse.connection, path, snapshot).publish()
    assert damaged_of(snapshot) == []
    flip(file)
    (problem,) = damaged_of(snapshot)
    assert problem.startswith(f"archived events are damaged: {file} has the SHA-256 ")
    span = Span(day(0).first, day(1).last)
    with pytest.raises(ArchiveError, match=f"damaged: {file}"):
        merge(warehouse.connection, folder, span)
    warehouse.connection.close()
    for remake in (
        lambda: rebuild(path, RULES),
        lambda: plan(snapshot, path, RULES, zones={}, progress=lambda *_: None),
    ):
        with pytest.raises(DatabaseError, match=f"damaged: {file}"):
            remake()
    assert sorted(each.name for each in path.parent.iterdir() if each.is_file()) == [
        "analytics.duckdb",
        "archive.json",
        "live.duckdb",
        "publish.json",
    ]


def test_every_damaged_file_is_named_at_once(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    files = [folder / freeze(warehouse.connection, folder, day(n)).name for n in range(3)]
    warehouse.connection.close()
    files[0].unlink()
    os.truncate(files[1], 99)
    flip(files[2])
    problems = sorted(damaged_of(path))
    assert len(problems) == 3
    for file in files:
        assert sum(str(file) in problem for problem in problems) == 1


def test_a_snapshot_that_is_open_answers_while_its_files_are_merged(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    before = contents(warehouse.connection)
    files = [freeze(warehouse.connection, folder, day(n)) for n in range(2)]
    snapshot = path.with_name("analytics.duckdb")
    publisher = SnapshotPublisher(warehouse.connection, path, snapshot)
    publisher.publish()
    leftovers = Leftovers(warehouse.connection, folder, snapshot)
    with connect_published(snapshot) as reader:
        merge(warehouse.connection, folder, Span(day(0).first, day(1).last))
        leftovers.add(file.name for file in files)
        leftovers.remove()
        assert contents(reader) == before
        publisher.publish()
        leftovers.remove()
        # It is one of a snapshot that is no longer there: it says so, and never answers with less.
        with pytest.raises(duckdb.IOException, match="No files found"):
            contents(reader)
    with connect_published(snapshot) as reader:
        assert contents(reader) == before


def test_without_a_file_no_snapshot_is_published(
    warehouse: Warehouse, folder: Path, path: Path
) -> None:
    (folder / freeze(warehouse.connection, folder, day(0)).name).unlink()
    snapshot = path.with_name("analytics.duckdb")
    with pytest.raises(PublishError, match=r"no new snapshot: archived events are missing: .*\d"):
        SnapshotPublisher(warehouse.connection, path, snapshot).publish()
    assert not snapshot.exists()


def test_a_path_that_would_mean_something_to_duckdb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store_id=x" / "live.duckdb"
    warehouse = Warehouse(path)
    warehouse.load([Log(RULES).send(click())])
    with pytest.raises(ArchiveError, match=r"contains one of \* \? \[ ="):
        freeze(warehouse.connection, archive_folder(path), day(0))


def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing(
    warehouse: Warehouse, path: Path, every: int
) -> None:
    path.with_name(EXPECTED).write_text(repr(contents(warehouse.connection)))
    warehouse.connection.close()
    assert_whole_after("archive_kills.py", path.parent, every=every, kills=CALLS | STATEMENTS)
