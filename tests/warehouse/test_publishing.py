"""A loader goes on committing while a snapshot is copied, whatever becomes of the copy."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from copy_programs import FULL, HANGS, hanging
from factories import click
from kafka_outcomes import OutcomeTopics, loading, positions, rows
from logged import logged
from processes import Verb, wait_for
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.status import status
from pipeline.warehouse.database import DatabaseError, connect_published
from pipeline.warehouse.snapshots import copying
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publish import SnapshotPublisher
from pipeline.warehouse.snapshots.publishing import Publishing, described, pause

SECOND = timedelta(seconds=1)


class Loading:
    """A live file, its snapshots, and what a loader calls between its transactions."""

    def __init__(self, folder: Path, interval: timedelta = timedelta(0)) -> None:
        self.folder = folder
        self.snapshot = folder / "analytics.duckdb"
        live = folder / "live.duckdb"
        self.connection = Warehouse(live).connection
        self.publisher = SnapshotPublisher(self.connection, live, self.snapshot)
        self.publishing = Publishing(self.publisher, interval)
        self.committed = 0

    def commit(self) -> None:
        self.connection.execute(
            f"INSERT INTO positions VALUES ('topic', 'id', {self.committed}, 0)"
        )
        self.committed += 1
        self.publishing.go_on(committed=True)

    def published(self) -> int:
        """How many commits the snapshot holds; -1 without one."""
        if not self.snapshot.exists():
            return -1
        with connect_published(self.snapshot) as reader:
            return int(reader.execute("SELECT count(*) FROM positions").fetchall()[0][0])

    def wait_published(self) -> None:
        """Go on, idle, until the snapshot holds every commit."""
        wait_for(lambda: self.published() == self.committed, each=self.publishing.go_on)


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loading]:
    loader = Loading(tmp_path)
    yield loader
    loader.publisher.cancel()
    loader.connection.close()


def hang(loader: Loading, monkeypatch: pytest.MonkeyPatch) -> int:
    """Commit, and have the copy of it hang. Returns the child's process id."""
    monkeypatch.setattr(copying, "PROGRAM", HANGS)
    (loader.folder / "hang").touch()
    loader.commit()
    # The first copy may have taken so long that the next one is not due yet.
    return hanging(loader.folder, each=loader.publishing.go_on).pid


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("analytics*.new")]


def test_commits_go_on_during_a_copy_and_the_next_copy_has_them(
    loader: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.commit()
    loader.wait_published()
    child = hang(loader, monkeypatch)
    for _ in range(20):
        loader.commit()
    assert loader.published() == 1
    os.kill(child, 9)
    loader.publishing.stop()
    assert loader.published() == loader.committed
    assert left(loader.folder) == []


def test_a_copy_that_is_killed_is_logged_and_made_again(
    loader: Loading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    os.kill(hang(loader, monkeypatch), 9)
    loader.wait_published()
    assert logged(caplog, "pipeline.warehouse") == [
        f"no new snapshot at {loader.snapshot}: the copy was killed"
    ]


def test_signals_to_the_whole_group_do_not_end_a_copy(
    loader: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PROGRAM", HANGS)
    (loader.folder / "hang").touch()
    loader.commit()
    child = hanging(loader.folder)
    child.terminate()
    child.send_signal(2)
    time.sleep(0.2)
    assert child.is_running()
    assert child.status() != "zombie"


def test_at_the_end_a_copy_of_an_older_commit_gives_way_to_the_last_one(
    loader: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(loader, monkeypatch)
    loader.commit()
    loader.publishing.stop()
    assert loader.published() == loader.committed == 2
    assert left(loader.folder) == []


def test_at_the_end_a_copy_of_the_last_commit_becomes_the_snapshot(loader: Loading) -> None:
    loader.commit()
    (running,) = left(loader.folder)
    inode = (loader.folder / running).stat().st_ino
    loader.publishing.stop()
    assert loader.snapshot.stat().st_ino == inode
    assert loader.published() == 1


def test_at_the_end_nothing_is_published_twice(loader: Loading) -> None:
    loader.commit()
    loader.wait_published()
    inode = loader.snapshot.stat().st_ino
    loader.publishing.stop()
    assert loader.snapshot.stat().st_ino == inode


def test_a_full_disk_leaves_the_old_snapshot_and_no_file_until_there_is_room(
    loader: Loading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loader.commit()
    loader.wait_published()
    monkeypatch.setattr(copying, "PROGRAM", FULL)
    (loader.folder / "full").touch()
    loader.commit()
    for _ in range(2):
        wait_for(lambda: loader.publisher.is_copying, each=loader.publishing.go_on)
        wait_for(lambda: not loader.publisher.is_copying, each=loader.publishing.go_on)
        loader.commit()
    assert logged(caplog, "pipeline.warehouse") == [
        f"no new snapshot at {loader.snapshot}: File too large"
    ]
    assert loader.published() == 1
    (loader.folder / "full").unlink()
    loader.wait_published()
    assert left(loader.folder) == []


def test_a_copy_that_cannot_begin_is_logged_once(
    loader: Loading, caplog: pytest.LogCaptureFixture
) -> None:
    # Only the temporary name, which differs each time, is too long.
    snapshot = loader.folder / ("a" * 247)
    publisher = SnapshotPublisher(loader.connection, loader.folder / "live.duckdb", snapshot)
    loader.publishing = Publishing(publisher, timedelta(0))
    for _ in range(3):
        loader.publishing.stop()
    assert logged(caplog, "pipeline.warehouse") == [
        f"no new snapshot at {snapshot}: File name too long"
    ]


@pytest.mark.parametrize(
    ("interval", "seconds", "expected"), [(5, 0.003, 5), (5, 0.5, 5), (5, 7.5, 75), (0, 0.5, 5)]
)
def test_copying_takes_at_most_a_tenth_of_the_time(
    interval: int, seconds: float, expected: float
) -> None:
    assert pause(interval * SECOND, seconds) == expected


def test_what_is_committed_just_after_a_small_snapshot_waits_no_longer_than_a_transaction() -> None:
    defaults = Settings(_env_file=None)
    copy_seconds = 0.05
    assert timedelta(seconds=pause(defaults.publish_interval, copy_seconds)) <= (
        defaults.load_interval
    )


def test_the_checkpoint_that_holds_up_the_loader_counts_like_the_copy(
    loader: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "import shutil, sys; shutil.copy(*sys.argv[1:3]); print('copy 0')"
    monkeypatch.setattr(copying, "PROGRAM", (sys.executable, "-c", said))
    begun = time.monotonic()
    loader.publisher.start()
    held_up = time.monotonic() - begun
    assert 0 < loader.publisher.finish().seconds <= held_up


def test_after_a_slow_copy_the_next_one_waits(
    loader: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "import shutil, sys; shutil.copy(*sys.argv[1:3]); print('copy 3600')"
    monkeypatch.setattr(copying, "PROGRAM", (sys.executable, "-c", slow))
    loader.commit()
    loader.wait_published()
    loader.commit()
    assert not loader.publisher.is_copying
    loader.publishing.stop()
    assert loader.published() == 2


def test_the_log_says_how_snapshots_are_made_once_and_when_that_changes(
    loader: Loading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def publish(said: str) -> None:
        program = f"import shutil, sys; shutil.copy(*sys.argv[1:3]); print({said!r})"
        monkeypatch.setattr(copying, "PROGRAM", (sys.executable, "-c", program))
        loader.publishing = (
            Publishing(loader.publisher, SECOND) if said == "" else loader.publishing
        )
        loader.commit()
        loader.publishing.stop()

    # So long that what `start` takes on a busy machine does not matter.
    for said in ("copy 1e6", "copy 1.5e6", "copy 3e6", "copy 3e6", "reflink 4e6", "reflink 5e6"):
        publish(said)
    words = [
        re.search(r"(copied|reflink).* in (\d)", message)
        for message in logged(caplog, "pipeline.warehouse")
    ]
    assert [word and word.groups() for word in words] == [
        ("copied", "1"),
        ("copied", "3"),
        ("reflink", "4"),
    ]


def test_the_age_of_a_snapshot_is_that_of_its_replacement() -> None:
    assert described(Copy("copy", 7, 2_100_000_000), 5 * SECOND) == (
        "2.10 GB, copied in 7.0 s: up to 77 s old"
    )
    assert described(Copy("reflink", 0.003, 5_000_000_000), 5 * SECOND) == (
        "5.00 GB, a reflink, made in 0.0 s: up to 5 s old"
    )


# A loader whose copies hang, as above.
LOAD = f"""
from pipeline.cli.main import cli
from pipeline.warehouse.snapshots import copying
copying.PROGRAM = {HANGS!r}
cli()
"""


@pytest.mark.parametrize("number", [9, 15], ids=["SIGKILL", "SIGTERM"])
def test_what_a_loader_commits_during_a_copy_outlives_its_end(
    settings: Settings, number: int
) -> None:
    topics = OutcomeTopics(settings)
    settings.home.mkdir(exist_ok=True)
    (settings.home / "hang").touch()
    process = Verb("load", settings, program=("-c", LOAD))
    assert process.process is not None
    try:
        child = hanging(settings.home)
        log = settings.live_database.with_name("live.duckdb.wal")
        topics.write([topics.logs[0].send(click(minute)) for minute in range(3)])
        wait_for(lambda: log.exists() and log.stat().st_size > 0)
        os.kill(process.process.pid, number)
        assert process.process.wait(60) == (-9 if number == 9 else 0)
    finally:
        process.kill()
    wait_for(lambda: not child.is_running())
    if number == 9:
        assert not settings.database.exists()
        assert left(settings.home) != []
        with loading(settings):
            pass
    assert positions(settings) == topics.ends()
    assert rows(settings, "SELECT records, events FROM ledger") == [(3, 3)]
    assert left(settings.home) == []


def test_a_loader_loads_while_a_copy_hangs_and_publishes_at_its_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = OutcomeTopics(settings)
    monkeypatch.setattr(copying, "PROGRAM", HANGS)
    (settings.home / "hang").touch()
    log = settings.live_database.with_name("live.duckdb.wal")
    with loading(settings):
        child = hanging(settings.home)
        topics.write([topics.logs[0].send(click(minute)) for minute in range(3)])
        wait_for(lambda: log.exists() and log.stat().st_size > 0)
        child.kill()
    assert positions(settings) == topics.ends()
    assert "snapshot: 0.0" in status(settings).ages(datetime.now(UTC))


def test_a_loader_that_fails_stops_its_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = OutcomeTopics(settings)
    outcomes = [topics.logs[0].send(click(minute)) for minute in range(3)]
    monkeypatch.setattr(copying, "PROGRAM", HANGS)
    (settings.home / "hang").touch()

    def load_a_hole_during_a_copy() -> None:
        with loading(settings):
            child = hanging(settings.home)
            topics.write(outcomes[::2])
            wait_for(lambda: not child.is_running())

    with pytest.raises(DatabaseError, match="have no outcome"):
        load_a_hole_during_a_copy()
    assert left(settings.home) == []
