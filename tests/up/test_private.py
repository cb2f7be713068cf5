"""Other users of the machine cannot read what the commands write."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.delivery.instance_lock import InstanceLock
from pipeline.devstack.broker.data_directory import DataDirectory
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

OTHERS = stat.S_IRWXG | stat.S_IRWXO
EVENT = {
    "event_type": "search",
    "session_id": "s",
    "timestamp": "2026-07-01T12:00:00Z",
    "query": "linen",
}


def opened(folder: Path) -> Iterator[str]:
    """The paths in `folder` that another user could access."""
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # it goes while we look
            mode = path.lstat().st_mode
            # A link has no mode.
            if not stat.S_ISLNK(mode) and mode & OTHERS:
                yield f"{path} {stat.filemode(mode)}"


def test_a_run_leaves_no_file_that_others_can_read(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    run = start("demo", "--devices", "20")
    wait_for(lambda: "Ctrl-C stops everything" in run.output)
    names = {path.name for path in home.rglob("*")}
    assert names >= {"live.duckdb", "analytics.duckdb", "spool", "0.db", "stores.toml", "logs"}
    assert list(opened(home)) == []
    assert not run.end_all()
    assert list(opened(home)) == []


def test_a_database_of_local_is_private(tmp_path: Path) -> None:
    (tmp_path / "one.ndjson").write_text(json.dumps(EVENT) + "\n")
    command = [sys.executable, "-m", "pipeline", "local", "one.ndjson", "--database", "made/by.us"]
    (tmp_path / "made").mkdir(mode=0o700)
    subprocess.run(command, cwd=tmp_path, check=True, umask=0o022)
    assert list(opened(tmp_path / "made")) == []


def test_files_that_an_older_version_left_readable_become_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder in (home / "kafka" / "logs", home / "spool"):
        folder.mkdir(parents=True)
        (folder / "0.db").touch(mode=0o644)
    DataDirectory(home / "kafka").release()
    InstanceLock.acquire(home / "spool").release()
    assert (home / "kafka").stat().st_mode & OTHERS == 0
    assert (home / "spool").stat().st_mode & OTHERS == 0
    live = home / "live.duckdb"
    Warehouse(live, RULES).connection.close()
    live.chmod(0o644)
    with Warehouse(live, RULES).connection:
        assert live.stat().st_mode & OTHERS == 0


@pytest.mark.parametrize(("readers", "mode"), [("owner", 0o400), ("group", 0o440), ("all", 0o444)])
def test_old_and_new_snapshots_have_the_configured_mode(
    tmp_path: Path, readers: str, mode: int
) -> None:
    settings = Settings(_env_file=None, home=tmp_path, snapshot_readers=readers)
    older = tmp_path / "analytics.duckdb.1"
    older.touch(mode=0o600)
    live = tmp_path / "live.duckdb"
    with Warehouse(live, RULES).connection as connection:
        publisher = SnapshotPublisher(
            connection, live, settings.database, kept=1, mode=settings.snapshot_mode
        )
        publisher.publish()
    for path in (older, settings.database):
        assert stat.S_IMODE(path.stat().st_mode) == mode
