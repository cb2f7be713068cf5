"""Snapshots are complete, consistent, and never go back in time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import psutil
import pytest
from factories import click
from kafka_outcomes import OutcomeTopics, loading, positions, rows
from processes import wait_for
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.warehouse.database import STORAGE_VERSION, connect_published
from pipeline.warehouse.queries import broken
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher


def names(folder: Path) -> list[str]:
    """The snapshots and copies, without the live file and the link in place of a log."""
    found = sorted(path.name for path in folder.glob("analytics*"))
    return [name for name in found if not name.endswith(".wal")]


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "live.duckdb"


def test_a_snapshot_is_the_last_commit_and_a_reader_keeps_the_one_it_opened(
    live: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "analytics.duckdb"
    with Warehouse(live).connection as connection:
        publisher = SnapshotPublisher(connection, live, snapshot)
        publisher.publish()
        with connect_published(snapshot) as reader:
            connection.execute("INSERT INTO positions VALUES ('topic', 'id', 0, 7)")
            publisher.publish()
            assert reader.execute("FROM positions").fetchall() == []
        with connect_published(snapshot) as reader:
            assert reader.execute("SELECT next_offset FROM positions").fetchall() == [(7,)]
    assert names(tmp_path) == ["analytics.duckdb"]


def test_older_clients_can_read_the_storage_version(live: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "analytics.duckdb"
    with Warehouse(live).connection as connection:
        SnapshotPublisher(connection, live, snapshot).publish()
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{snapshot}' AS snapshot (READ_ONLY)")
        tags = "SELECT tags FROM duckdb_databases() WHERE database_name = 'snapshot'"
        assert STORAGE_VERSION == "v1.2.0"
        assert STORAGE_VERSION in str(reader.execute(tags).fetchall()[0][0]["storage_version"])


def test_the_lock_of_the_live_file_outlives_a_snapshot(live: Path, tmp_path: Path) -> None:
    # In another process: a lock does not bind its own.
    command = f"import duckdb; duckdb.connect({str(live)!r})"
    with Warehouse(live).connection as connection:
        SnapshotPublisher(connection, live, tmp_path / "analytics.duckdb").publish()
        other = subprocess.run([sys.executable, "-c", command], check=False, capture_output=True)
        assert b"lock" in other.stderr


def test_a_snapshot_that_cannot_be_made_leaves_the_old_one_and_nothing_else(
    live: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "there" / "analytics.duckdb"
    with Warehouse(live).connection as connection:
        with pytest.raises(PublishError, match="no new snapshot at"):
            SnapshotPublisher(connection, live, snapshot).publish()
        snapshot.parent.mkdir()
        SnapshotPublisher(connection, live, snapshot).publish()
        old = snapshot.read_bytes()
        connection.execute("INSERT INTO positions VALUES ('topic', 'id', 0, 7)")
        with pytest.raises(PublishError, match="nowhere: No such file or directory"):
            SnapshotPublisher(connection, tmp_path / "nowhere", snapshot).publish()
        assert snapshot.read_bytes() == old
    assert names(snapshot.parent) == ["analytics.duckdb"]


def test_a_loader_logs_a_failed_snapshot_once_and_continues(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    topics = OutcomeTopics(settings)
    log = topics.logs[0]
    settings.database.mkdir(parents=True)  # no file can take its place
    topics.write([log.send(click(0))])
    with loading(settings):
        wait_for(lambda: "no new snapshot" in caplog.text)
        assert settings.database.is_dir()
        settings.database.rmdir()
        wait_for(lambda: positions(settings) == topics.ends())
    assert rows(settings, "SELECT records FROM ledger") == [(1,)]


def test_every_snapshot_under_load_passes_every_check(settings: Settings) -> None:
    topics = OutcomeTopics(settings)
    seen: set[tuple[int, int]] = set()
    done, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        # As long as it takes to see some, however busy the machine is.
        while not done.is_set() and (written < 600 or len(seen) < 3):
            step = written // 4
            log = topics.logs[step % len(topics.logs)]
            topics.write([log.send(click(step), device=f"d:{step % 20}") for _ in range(4)])
            written += 4
            done.wait(0.05)
        done.set()

    writer = threading.Thread(target=write)
    reached = 0
    with loading(settings):
        writer.start()
        try:
            wait_for(settings.database.exists)
            while not (done.is_set() and positions(settings) == topics.ends()):
                file = settings.database.stat()
                seen.add((file.st_ino, file.st_mtime_ns))
                with connect_published(settings.database) as connection:
                    assert [
                        name for name, answer in broken(connection).items() if answer.rows
                    ] == []
                    query = "SELECT coalesce(sum(next_origin), 0) FROM ledger"
                    (total,) = connection.execute(query).fetchall()[0]
                assert total >= reached, "a snapshot went back"
                reached = total
        finally:
            done.set()
            writer.join()
    assert reached <= written
    assert rows(settings, "SELECT sum(next_origin) FROM ledger") == [(written,)]
    assert len(seen) >= 3


def test_the_folder_is_synced_after_the_rename(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "analytics.duckdb"
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def seen(handle: int) -> None:
        sync(handle)
        synced.append((os.fstat(handle).st_ino, snapshot.exists()))

    with Warehouse(live).connection as connection:
        monkeypatch.setattr(os, "fsync", seen)
        SnapshotPublisher(connection, live, snapshot).publish()
    # First the list of archived files, which must not be older than the snapshot.
    assert synced == [
        ((tmp_path / "archive.json").stat().st_ino, False),
        (tmp_path.stat().st_ino, True),
    ]


def test_the_space_of_a_replaced_snapshot_is_freed_in_another_thread(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "analytics.duckdb"
    closed, close = {}, os.close

    def seen(handle: int) -> None:
        inode = os.fstat(handle).st_ino
        close(handle)
        closed[inode] = threading.current_thread()

    with Warehouse(live).connection as connection:
        publisher = SnapshotPublisher(connection, live, snapshot)
        publisher.publish()
        old = snapshot.stat().st_ino
        monkeypatch.setattr(os, "close", seen)
        publisher.publish()
        wait_for(lambda: old in closed)
    assert closed[old] is not threading.current_thread()


# Small, so that a commit would make a checkpoint if it might.
THRESHOLD = "SET checkpoint_threshold = '1KB'"
CHANGES = (
    # Whole row groups, which DuckDB writes into the file itself before they are committed.
    "INSERT INTO positions SELECT 'new', 'id', n, 0 FROM range(125000) r(n)",
    "UPDATE positions SET next_offset = next_offset + 1 WHERE partition % 7 = 0",
    "DELETE FROM positions WHERE partition % 5 = 1",
)
STATE = "SELECT count(*), sum(partition), sum(next_offset), max(topic) FROM positions"


def test_a_snapshot_is_the_state_at_its_start_whatever_is_committed_during_the_copy(
    live: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "analytics.duckdb"
    with Warehouse(live).connection as connection:
        connection.execute("INSERT INTO positions SELECT 'old', 'id', n, 0 FROM range(400000) r(n)")
        publisher = SnapshotPublisher(connection, live, snapshot)
        for step in range(4):
            connection.execute(THRESHOLD)
            state = connection.execute(STATE).fetchall()
            others = psutil.Process().children()
            publisher.start()
            # It may have ended by now, and a zombie has no command line to be known by.
            (child,) = set(psutil.Process().children()) - set(others)
            for number in range(6):
                # Some commits before the copy begins, and some while it runs.
                child.suspend() if number < 3 else child.resume()
                connection.execute(CHANGES[(step + number) % 3])
            publisher.finish()
            assert connection.execute(STATE).fetchall() != state
            with connect_published(snapshot) as reader:
                assert reader.execute(STATE).fetchall() == state


def test_the_log_is_checkpointed_again_after_a_copy(live: Path, tmp_path: Path) -> None:
    threshold = "SELECT current_setting('checkpoint_threshold')"
    with Warehouse(live).connection as connection:
        before = connection.execute(threshold).fetchall()
        publisher = SnapshotPublisher(connection, live, tmp_path / "analytics.duckdb")
        for end in (publisher.finish, publisher.cancel):
            publisher.start()
            assert connection.execute(threshold).fetchall() != before
            end()
            assert connection.execute(threshold).fetchall() == before
