"""Dies by SIGKILL before the Nth thing that a backup does to the disk; the next run completes it.

`backup_kills.py backup|restore|export HOME FOLDER EVERY` does it for one N in EVERY, in processes
forked from this one, and prints one line a kill: what was about to be called, and whether all is
whole after the next run. FOLDER holds a backup, or an export, of an earlier snapshot of HOME.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from each_kill import CALLS, Killer, forked
from exported import in_export, in_snapshot, listed

from pipeline.warehouse.backup.contents import Backup, newest_backup
from pipeline.warehouse.backup.restoring import restore_home
from pipeline.warehouse.backup.taking import back_up
from pipeline.warehouse.catalog.store_file import catalog_files
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.export.exporting import export
from pipeline.warehouse.export.selection import Selection
from pipeline.warehouse.rebuild.rebuild import Progress

Run = Callable[[], object]


def silent(_name: str, _done: int, _steps: int) -> None:
    pass


def back_up_home(home: Path, folder: Path, *, progress: Progress = silent) -> Path:
    """A backup of `home` in `folder`."""
    return back_up(
        home / "analytics.duckdb",
        folder,
        others={
            "stores.toml": home / "stores.toml",
            "erasures.key": home / "erasures.key",
            **catalog_files(home / "live.duckdb"),
        },
        settings={"PIPELINE_SESSION_GAP": "PT30M"},
        at=datetime.now(UTC),
        progress=progress,
    )


def restored(folder: Path, home: Path, *, stores: Path | None = None) -> tuple[Path, Backup]:
    """Restore a backup into `home`. Returns which."""
    others = {"stores.toml": stores or home / "stores.toml"}
    return restore_home(folder, home / "live.duckdb", others=others, progress=silent)


DISK = {*CALLS, "link"}


class DiskKiller(Killer):
    """Kills before the `number`th call of the operating system, whoever makes it."""

    def watch(self, _frame: FrameType, event: str, called: Any) -> None:
        """A profiler."""
        if event == "c_call" and called.__name__ in DISK:
            self.touch(called.__name__)


def life(run: Run, number: int) -> None:
    sys.setprofile(DiskKiller(number).watch)
    run()
    sys.setprofile(None)


def complete_backup(home: Path, folder: Path) -> None:
    """Whole before the next run, and after it nothing is left of the killed one."""
    for made in folder.glob("*Z"):
        assert_whole(made)
    back_up_home(home, folder)
    assert_whole(newest_backup(folder) or folder)
    assert {path.name for path in folder.iterdir() if not path.name.endswith("Z")} == {"lock"}


def assert_whole(backup: Path) -> None:
    held = Backup.read(backup)
    assert {file.name for file in held.files} | {"backup.json"} == {
        str(path.relative_to(backup)) for path in backup.rglob("*") if path.is_file()
    }
    for file in held.files:
        digest = hashlib.sha256((backup / file.name).read_bytes()).hexdigest()
        assert digest == file.sha256, file.name


def complete_restore(folder: Path, home: Path) -> None:
    """Restored by another run, unless the killed one had only its mark to remove."""
    if not (home / "live.duckdb").exists() or (home / "restore.unfinished").exists():
        restored(folder, home)
    with connect_published(home / "analytics.duckdb") as connection:
        found = connection.execute("SELECT count(*) FROM events").fetchall()
    expected = (newest_backup(folder) or folder) / "analytics.duckdb"
    assert found == [(int((folder / "events").read_text()),)], expected
    assert not list(home.glob("*.new")) + list(home.rglob("*.unfinished"))


def export_home(home: Path, folder: Path) -> None:
    """Two tables."""
    selection = Selection(("sessions", "stores"))
    export(home / "analytics.duckdb", folder, selection, progress=silent)


def complete_export(home: Path, before: Path, folder: Path) -> None:
    """One of the two exports before the next run, and the new one after it."""
    found = [in_export(folder, table) for table in ("sessions", "stores")]
    old = [in_export(before, table) for table in ("sessions", "stores")]
    with connect_published(home / "analytics.duckdb") as connection:
        new = [in_snapshot(connection, table) for table in ("sessions", "stores")]
    assert old[0] != new[0]
    assert old[1] != new[1]
    assert found in (old, new)
    export_home(home, folder)
    assert [in_export(folder, table) for table in ("sessions", "stores")] == new
    # Nothing is left but what a former list may name.
    held = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    assert held <= {*listed(folder).names(), *listed(before).names()}


def main(what: str, home: Path, folder: Path, every: int) -> None:
    if what == "restore":
        back_up_home(home, folder)
        with connect_published(home / "analytics.duckdb") as connection:
            ((events,),) = connection.execute("SELECT count(*) FROM events").fetchall()
        (folder / "events").write_text(str(events))
    for number in count(1, every):
        aside = folder.with_name(f"kill-{number}")
        if what == "backup":
            shutil.copytree(folder, aside)
            run: Run = partial(back_up_home, home, aside)
            look: Run = partial(complete_backup, home, aside)
        elif what == "export":
            shutil.copytree(folder, aside)
            run = partial(export_home, home, aside)
            look = partial(complete_export, home, folder, aside)
        else:
            run = partial(restored, folder, aside)
            look = partial(complete_restore, folder, aside)
        status, about = forked(partial(life, run, number))
        assert status in (0, signal.SIGKILL), about
        wrong, text = forked(look)
        print(f"{about or 'the end'}: {text if wrong else 'whole'}", flush=True)
        shutil.rmtree(aside)
        if status == 0:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
