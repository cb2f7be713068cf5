"""The published files: the snapshot, which clients may hold open, and those of earlier days."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.warehouse.snapshots.copy_record import Copy

# Seconds between kept snapshots: the last few publish intervals alone would be of no use.
KEEP_EVERY = 24 * 60 * 60
# A writing client would have to put its log here: the folder does not exist.
_NOWHERE = "snapshots-are-read-only/wal"


class SnapshotFiles:
    """The snapshot at `path`, and `kept` ones of earlier days beside it, `<path>.1` the newest.

    All of them have the file mode `mode`. Methods raise OSError.
    """

    def __init__(self, path: Path, *, kept: int, mode: int) -> None:
        self.path = path
        self._kept = [path.with_name(f"{path.name}.{n + 1}") for n in range(kept)]
        self._mode = mode

    def is_held(self) -> bool:
        """Whether a client has the snapshot open for writing, which locks out all others."""
        try:
            with self.path.open("rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def protect(self) -> None:
        """Protect files that were published by an earlier version or under another mode."""
        _close_to_writers(self.path)
        for path in (self.path, *self._kept):
            if path.exists() and stat.S_IMODE(path.stat().st_mode) != self._mode:
                path.chmod(self._mode)

    def replace(self, fresh: Path, copy: Copy) -> int:
        """Rename `fresh`, a synced `copy`, to be the snapshot. Returns its inode."""
        fresh.chmod(self._mode)
        copy.record(self.path, mode=self._mode)
        self._keep()
        _close_to_writers(self.path)
        inode = fresh.stat().st_ino
        with _kept_open(self.path):
            fresh.replace(self.path)
            sync_folder(self.path.parent)
        return inode

    def delete_earlier(self) -> None:
        """Delete the snapshots of earlier days, however many. Who has one open keeps reading it."""
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            if path.suffix[1:].isdigit():
                path.unlink()
        sync_folder(self.path.parent)

    def _keep(self) -> None:
        if not self._kept or not self.path.exists():
            return
        newest = self._kept[0]
        if newest.exists():
            age = self.path.stat().st_mtime - newest.stat().st_mtime
            if age < KEEP_EVERY:
                return
        for older, newer in zip(self._kept[:0:-1], self._kept[-2::-1], strict=True):
            if newer.exists():
                _close_to_writers(older)
                newer.replace(older)
        _close_to_writers(newest)
        fresh = newest.with_name(f"{newest.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.hardlink_to(self.path)
        fresh.replace(newest)


@contextmanager
def _kept_open(path: Path) -> Iterator[None]:
    """Free the space of the file at `path`, if it is replaced, in another thread.

    At 5 GB that takes a second, for which the loader would wait.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        yield
    finally:
        threading.Thread(target=os.close, args=(handle,)).start()


def _close_to_writers(snapshot: Path) -> None:
    """Replace `<snapshot>.wal`, and any log that a client left there, by a dead link.

    DuckDB replays a log of that name onto whatever file is beside it. Clients open for writing by
    default, and file modes do not stop root: without a place for the log no commit succeeds.
    """
    log = snapshot.with_name(f"{snapshot.name}.wal")
    if log.is_symlink() and str(log.readlink()) == _NOWHERE:
        return
    fresh = snapshot.with_name(f"{snapshot.name}.wal.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(_NOWHERE)
    fresh.replace(log)


def sync_folder(path: Path) -> None:
    """Wait until the disk holds the names in the folder `path`. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
