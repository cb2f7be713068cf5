"""A spool's SQLite file: opens and checks it, and sets it aside if it is corrupt."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY, spooled_at INTEGER NOT NULL, records INTEGER NOT NULL,
    bytes INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (
    topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, reason TEXT NOT NULL
);
"""

# A reader keeps the WAL growing; once it is done the WAL is truncated to this size. What is above
# it counts as contents: while someone reads, only the spool's cap bounds it.
WAL_BYTES = 1024 * 1024

CONTENTS = (
    "SELECT coalesce(sum(records), 0), coalesce(sum(bytes), 0),"
    " coalesce(max(seq), 0), min(spooled_at) FROM batches"
)
REFUSED_BYTES = "SELECT coalesce(sum(length(key) + length(value)), 0) FROM refused"

log = logging.getLogger(__name__)


class Contents(NamedTuple):
    """A file's records and bytes, the last sequence number, and the oldest batch's epoch ms.

    `refused` are the bytes of records that Kafka refuses in every form.
    """

    depth: int
    bytes: int
    last: int
    oldest: int | None
    refused: int


def open_file(path: Path) -> tuple[sqlite3.Connection, Contents]:
    """Open or create the file at `path`; a corrupt one is set aside first.

    Raises `sqlite3.OperationalError` and `OSError` if the disk fails.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise
        set_aside(path, error)
        return _open(path)


def _open(path: Path) -> tuple[sqlite3.Connection, Contents]:
    # Opened in one thread and used in another, but never in two at a time.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # What was sent is someone's data: it must not stay in free pages.
        connection.execute("PRAGMA secure_delete = ON")
        # A checkpoint delays the next commit: 256 KB often, not SQLite's 4 MB, which take 15 ms.
        connection.execute("PRAGMA wal_autocheckpoint = 64")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.executescript(SCHEMA)
        _raise_if_corrupt(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        depth, size, last, oldest = connection.execute(CONTENTS).fetchone()
        (refused,) = connection.execute(REFUSED_BYTES).fetchone()
        path.chmod(0o600)
        # The directory entry has to be as durable as the contents.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        connection.close()
        raise
    return connection, Contents(depth, size, last, oldest, refused)


def excess(path: Path) -> int:
    """Bytes by which the WAL of the file at `path` exceeds `WAL_BYTES`."""
    try:
        return max(0, path.with_name(path.name + "-wal").stat().st_size - WAL_BYTES)
    except FileNotFoundError:
        return 0


def truncate_wal(connection: sqlite3.Connection) -> None:
    """Empty the WAL, unless a reader holds it. Does not wait."""
    (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout}")


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether `error` means a corrupt file, and not a failing disk or a bad statement."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def set_aside(path: Path, error: sqlite3.Error) -> None:
    """Rename a closed file and its WAL; nothing is deleted."""
    stem = f"{path.name}.corrupt-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(stem + suffix))
    aside = path.with_name(stem)
    log.error("the spool is corrupt (%s): moved to %s; starting a new one", error, aside)


def _raise_if_corrupt(found: str) -> None:
    if found != "ok":
        raise sqlite3.DatabaseError(found)
