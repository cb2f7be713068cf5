"""Dies by SIGKILL before the Nth thing that touches the disk, and looks at what is left.

`archive_kills.py FOLDER` does it for every N, each in a process forked from this one, and prints
one line a kill: what was about to be called, and whether all is whole after the next start. FOLDER
holds a closed live database with events of three days, and `EXPECTED`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
from archived import contents, day
from warehouse_fixture import RULES

from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.archive.freezing import Freezer
from pipeline.warehouse.archive.leftovers import Leftovers
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

# Beside the live database: its events as text.
EXPECTED = "expected.txt"
CALLS = {"fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "chmod"}
STATEMENTS = {"COPY", "DELETE", "INSERT", "UPDATE", "CREATE", "COMMIT"}


class Killer:
    """Kills the process before the `number`th thing that the archive's code does to the disk."""

    def __init__(self, number: int) -> None:
        self._left = number

    def touch(self, what: str) -> None:
        """About to do `what`."""
        self._left -= 1
        if self._left == 0:
            os.write(1, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, frame: FrameType, event: str, called: Any) -> None:
        """A profiler that sees the calls of the operating system."""
        if event == "c_call" and called.__name__ in CALLS and _is_ours(frame):
            self.touch(called.__name__)


class Watched:
    """A connection whose statements `killer` sees."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, killer: Killer) -> None:
        self._connection = connection
        self._killer = killer
        # The tables of a batch are variables of whoever called us.
        connection.execute("SET python_scan_all_frames = true")

    def execute(
        self, query: str | duckdb.Statement, values: object = None
    ) -> duckdb.DuckDBPyConnection:
        """As the connection's own."""
        text = query if isinstance(query, str) else query.query
        if text.split(maxsplit=1)[0] in STATEMENTS:
            self._killer.touch(text.split(maxsplit=1)[0])
        return self._connection.execute(query, values)


def life(live: Path, number: int) -> None:
    """A day becomes a file, then the file of a month; a snapshot names the first, then none."""
    killer = Killer(number)
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


def _is_ours(frame: FrameType | None) -> bool:
    """Whether the archive's code is on the stack."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(("/freezing.py", "/leftovers.py", "/archive.py")):
            return True
        frame = frame.f_back
    return False


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


def forked(what: Callable[[], None]) -> tuple[int, str]:
    """Exit status and output of `what` in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        try:
            what()
        except BaseException:  # noqa: BLE001  # said to the parent
            os.write(1, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    return os.waitpid(child, 0)[1], text


def kill_each(
    folder: Path, life: Callable[..., None], look: Callable[[Path], None], *, every: int = 1
) -> None:
    """Kill `life` of a copy of `folder` before its first thing, and so on; `look` at each after."""
    number = 1
    while True:
        home = folder.with_name(f"kill-{number}")
        shutil.copytree(folder, home, symlinks=True)
        live = home / "live.duckdb"
        status, about = forked(partial(life, live, number))
        assert status in (0, signal.SIGKILL), about
        wrong, text = forked(partial(look, live))
        print(f"{about or 'the end'}: {text if wrong else 'whole'}", flush=True)
        shutil.rmtree(home)
        if status == 0:
            return
        number += every


if __name__ == "__main__":
    kill_each(Path(sys.argv[1]), life, look)
