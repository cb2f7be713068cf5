"""Publishes the live file: checkpointed, copied while loading goes on, renamed over the snapshot.

Readers either keep the old file open or open the complete new one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from pipeline.warehouse.cause import cause
from pipeline.warehouse.comments import comment, lacks_comments
from pipeline.warehouse.database import CHECKPOINT_THRESHOLD
from pipeline.warehouse.manifest import ArchiveFile, absent, archive_files, archive_folder
from pipeline.warehouse.publication import sign
from pipeline.warehouse.snapshots.archive_list import ArchiveList
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.copying import CopyError, Copying
from pipeline.warehouse.snapshots.reach import Reach, lost
from pipeline.warehouse.snapshots.snapshot_files import SnapshotFiles


class PublishError(Exception):
    """No snapshot was published, and the old one stays. The message is one line that says why."""


class SnapshotPublisher:
    """Publishes committed states of `live`, which `connection` has open, as `snapshot`.

    `kept` and `mode` are as in `SnapshotFiles`. All methods are called outside a transaction, and
    those that publish raise `PublishError` with the old snapshot in place.
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
        self._files = SnapshotFiles(snapshot, kept=kept, mode=mode)
        self._copying: Copying | None = None
        self._held_up = 0.0
        self._mode = mode
        self._archived: list[ArchiveFile] = []  # by the commit that is being copied
        self._listed: list[ArchiveFile] | None = None  # by the last list that was written
        self._ours: int | None = None  # inode of the snapshot that this object published

    def is_held(self) -> bool:
        """Whether a client has the snapshot open for writing, which locks out all others."""
        return self._files.is_held()

    def publish(self) -> Copy:
        """Publish the last commit, and wait for it."""
        self.start()
        return self.finish()

    def start(self) -> None:
        """Have the last commit copied while the caller goes on committing.

        Until `finish` or `cancel` nothing else may make a checkpoint or close the connection:
        commits only append to the log, but a checkpoint writes to blocks that are being copied.
        """
        with self._errors():
            self._files.protect()
            self._refuse_less()
            self._refuse_incomplete()
            begun = time.monotonic()
            if self._ours is None or lacks_comments(self._connection):
                comment(self._connection)
            sign(self._connection)
            self._connection.execute("CHECKPOINT").fetchall()  # it may go on until then
            self._copying = Copying(self._live, self._snapshot)
            self._connection.execute("SET checkpoint_threshold = '1TB'")
            self._held_up = time.monotonic() - begun

    @property
    def is_copying(self) -> bool:
        """Whether `start` began what neither `finish` nor `cancel` has ended."""
        return self._copying is not None

    def is_copied(self) -> bool:
        """Whether `finish` would not have to wait for the copy."""
        return self._copying is not None and self._copying.is_done()

    def finish(self) -> Copy:
        """Wait for the copy that `start` began, and make it the snapshot.

        Its seconds include those for which `start` held up the caller.
        """
        if self._copying is None:
            raise RuntimeError("no copy was started")
        try:
            with self._errors():
                copied = self._copying.result()
                copy = replace(copied, seconds=self._held_up + copied.seconds)
                # Before the snapshot: files that only the former one names may then be removed.
                if self._archived != self._listed:
                    ArchiveList(self._archived).write(self._snapshot, mode=self._mode)
                    self._listed = self._archived
                self._ours = self._files.replace(self._copying.path, copy)
                return copy
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Stop a copy that is running; without one, do nothing."""
        if self._copying is not None:
            self._copying.discard()
            self._copying = None
            self._connection.execute(f"SET checkpoint_threshold = '{CHECKPOINT_THRESHOLD}'")

    def delete_earlier(self) -> None:
        """Delete the snapshots of earlier days. Raises OSError."""
        self._files.delete_earlier()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        # A checkpoint can be refused while another thread reads: the next one is soon.
        except (duckdb.IOException, duckdb.TransactionException, OSError, CopyError) as error:
            # Without a temporary name, so that the same error is the same line.
            reason = cause(error, names_file=False)
            raise PublishError(f"no new snapshot at {self._snapshot}: {reason}") from None

    def _refuse_less(self) -> None:
        """Keep a snapshot that holds more than the live file does: another loader's may."""
        if not self._snapshot.exists() or self._snapshot.stat().st_ino == self._ours:
            return
        try:
            published = Reach.of_file(self._snapshot)
        except duckdb.Error as error:
            raise PublishError(
                f"no new snapshot: {self._snapshot} exists and is not a snapshot that can be read"
                f" ({cause(error)}): move it away"
            ) from None
        missing = lost(published, Reach.of(self._connection))
        if missing:
            raise PublishError(
                f"no new snapshot: {self._snapshot} holds {missing}, and {self._live} does not:"
                " the old one stays; let the loader catch up, start from it (`pipeline rebuild"
                " --from-snapshot`), or move the snapshot away"
            )

    def _refuse_incomplete(self) -> None:
        """Keep a snapshot whose archive was whole: readers would get no answers from the new."""
        self._archived = archive_files(self._connection)
        missing = absent(self._archived, archive_folder(self._live))
        if missing:
            raise PublishError(f"no new snapshot: {missing}")
