"""Dies by SIGKILL before the Nth thing that touches the disk, and looks at what is left.

`archive_kills.py FOLDER EVERY` does it for one N in EVERY, in processes forked from this one, and
prints one line a kill: what was about to be called, and whether all is whole after the next start.
FOLDER holds a closed live database with events of three days, and `EXPECTED`.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from archived import contents, day
from each_kill import CALLS, Killer, Watched, kill_each
from warehouse_fixture import RULES

from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.archive.freezing import Freezer
from pipeline.warehouse.archive.leftovers import Leftovers
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

# Beside the live database: its events as text.
EXPECTED = "expected.txt"


class ArchiveKiller(Killer):
    """Kills before the `number`th thing that the archive's code does to the disk."""

    def watch(self, frame: FrameType, event: str, called: Any) -> None:
        """A profiler that sees the calls of the operating system."""
        if event == "c_call" and called.__name__ in CALLS and _is_ours(frame):
            self.touch(called.__name__)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether the archive's code is on the stack."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(("/freezing.py", "/leftovers.py", "/archive.py")):
            return True
        frame = frame.f_back
    return False


def life(live: Path, number: int) -> None:
    """A day becomes a file, then the file of a month; a snapshot names the first, then none."""
    killer = ArchiveKiller(number)
    with connect_live(live, RULES) as made:
        connection: Any = Watched(made, killer)
        folder, snapshot = archive_folder(live), live.with_name("analytics.duckdb")
        freezer, leftovers = Freezer(folder), Leftovers(connection, folder, snapshot)
        publisher = SnapshotPublisher(made, live, snapshot)
        sys.setprofile(killer.watch)
        written = freezer.freeze(connection, day(0))
        assert written is not None
        freezer.name(connection, written)
        publisher.publish()
        merged = freezer.merge(connection, day(0).month)
        assert merged is not None
        freezer.name(connection, merged)
        leftovers.add(merged.replaces)
        leftovers.remove()
        publisher.publish()
        leftovers.remove()
        sys.setprofile(None)


def look(live: Path) -> None:
    """What is left must be whole once the next process has started."""
    snapshot, folder = live.with_name("analytics.duckdb"), archive_folder(live)
    with connect_live(live, RULES) as connection:
        Archiver(connection, folder, snapshot, after=timedelta(days=1)).close()
        assert repr(contents(connection)) == live.with_name(EXPECTED).read_text()
        named = {file.name for file in archive_files(connection)}
        assert named <= _held(folder)
        if snapshot.exists():  # it may name merged files
            SnapshotPublisher(connection, live, snapshot).publish()
            Archiver(connection, folder, snapshot, after=timedelta(days=1)).close()
        assert named == _held(folder)


def _held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    kill_each(Path(sys.argv[1]), life, look, every=int(sys.argv[2]))
