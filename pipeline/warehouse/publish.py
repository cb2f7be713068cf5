"""Publishes the live file: checkpointed, copied, then renamed over the snapshot.

Readers either keep the old file open or open the complete new one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import duckdb

from pipeline.warehouse.archive import absent, archive_files, archive_folder
from pipeline.warehouse.copying import CopyError, copied
from pipeline.warehouse.reach import Reach, lost

# Seconds between kept snapshots: the last few publish intervals alone would be of no use.
KEEP_EVERY = 24 * 60 * 60
# A writing client would have to put its log here: the folder does not exist.
_NOWHERE = "snapshots-are-read-only/wal"


class PublishError(Exception):
    """No snapshot was published, and the old one stays. The message is one line that says why."""


class SnapshotPublisher:
    """Publishes the last committed state of `live`, which `connection` has open, as `snapshot`.

    `kept` snapshots of earlier days stay beside it, `<snapshot>.1` being the newest. All of them
    have the file mode `mode`.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        live: Path,
        snapshot: Path,
        *,
        kept: int = 0,
        mode: int = 0o400,
    ) -> None:
        self._connection = connection
        self._live = live
        self._snapshot = snapshot
        self._kept = [snapshot.with_name(f"{snapshot.name}.{n + 1}") for n in range(kept)]
        self._mode = mode
        self._ours: int | None = None  # inode of the snapshot that this object published

    def is_held(self) -> bool:
        """Whether a client has the snapshot open for writing, which locks out all others."""
        try:
            with self._snapshot.open("rb") as file:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def publish(self) -> None:
        """Publish, outside a transaction. Raises `PublishError` with the old snapshot in place."""
        try:
            _close_to_writers(self._snapshot)
            self._set_modes()
            self._refuse_less()
            self._refuse_incomplete()
            self._connection.execute("CHECKPOINT")
            # No checkpoint may move blocks during the copy; commits only append to the log.
            self._connection.execute("SET checkpoint_threshold = '1TB'")
            try:
                self._replace()
            finally:
                self._connection.execute("SET checkpoint_threshold = '256MB'")
        except (duckdb.IOException, OSError, CopyError) as error:
            reason = str(error).splitlines()[0]
            raise PublishError(f"no new snapshot at {self._snapshot}: {reason}") from None

    def _set_modes(self) -> None:
        """Correct the modes of snapshots that were published under another setting."""
        for path in (self._snapshot, *self._kept):
            if path.exists() and stat.S_IMODE(path.stat().st_mode) != self._mode:
                path.chmod(self._mode)

    def _refuse_less(self) -> None:
        """Keep a snapshot that holds more than the live file does: another loader's may."""
        if not self._snapshot.exists() or self._snapshot.stat().st_ino == self._ours:
            return
        try:
            published = Reach.of_file(self._snapshot)
        except duckdb.Error as error:
            raise PublishError(
                f"no new snapshot: {self._snapshot} exists and is not a snapshot that can be read"
                f" ({str(error).splitlines()[0]}): move it away"
            ) from None
        missing = lost(published, Reach.of(self._connection))
        if missing:
            raise PublishError(
                f"no new snapshot: {self._snapshot} holds {missing}, and {self._live} does not:"
                " the old one stays; let the loader catch up, start it on a copy of that snapshot"
                " (docs/operating.md), or move the snapshot away"
            )

    def _refuse_incomplete(self) -> None:
        """Keep a snapshot whose archive was whole: readers would get no answers from the new."""
        folder = archive_folder(self._live)
        missing = absent(archive_files(self._connection), folder)
        if missing:
            raise PublishError(f"no new snapshot: {missing}")

    def _replace(self) -> None:
        with copied(self._live, self._snapshot) as fresh:
            fresh.chmod(self._mode)
            _sync(fresh)
            self._keep()
            _close_to_writers(self._snapshot)
            inode = fresh.stat().st_ino
            fresh.replace(self._snapshot)
        self._ours = inode
        _sync(self._snapshot.parent)

    def _keep(self) -> None:
        if not self._kept or not self._snapshot.exists():
            return
        newest = self._kept[0]
        if newest.exists():
            age = self._snapshot.stat().st_mtime - newest.stat().st_mtime
            if age < KEEP_EVERY:
                return
        for older, newer in zip(self._kept[:0:-1], self._kept[-2::-1], strict=True):
            if newer.exists():
                _close_to_writers(older)
                newer.replace(older)
        _close_to_writers(newest)
        fresh = newest.with_name(f"{newest.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.hardlink_to(self._snapshot)
        fresh.replace(newest)


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


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
