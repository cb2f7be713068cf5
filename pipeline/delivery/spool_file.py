"""A spool's file: opened, checked, and kept aside where SQLite cannot read it."""

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

# A WAL that someone's reading kept growing is cut back to this once they are done. More than this
# of it counts as contents: while they read, only the spool's cap holds it.
WAL_BYTES = 1024 * 1024

REFUSED_BYTES = "SELECT coalesce(sum(length(key) + length(value)), 0) FROM refused"

log = logging.getLogger(__name__)


class Contents(NamedTuple):
    """What is in a file: records, bytes, the highest number of a batch, when the oldest came.

    `refused` are the bytes of records that Kafka takes in no form.
    """

    depth: int
    bytes: int
    last: int
    oldest: int | None
    refused: int


def opened(path: Path) -> tuple[sqlite3.Connection, Contents]:
    """The file, made where there is none; a corrupt one is kept aside and a new one begun.

    Raises `sqlite3.OperationalError` and `OSError` for what is the disk's trouble.
    """
    try:
        return _checked(path)
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise
        set_aside(path, error)
        return _checked(path)


def _checked(path: Path) -> tuple[sqlite3.Connection, Contents]:
    # It is made in one thread and used in another, never in two at a time.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Moving the WAL into the file holds up the commit behind it: often and short, not SQLite's
        # 4 MB, which takes 15 ms.
        connection.execute("PRAGMA wal_autocheckpoint = 64")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.executescript(SCHEMA)
        _refuse_fault(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        depth, size, last, oldest = connection.execute(
            "SELECT coalesce(sum(records), 0), coalesce(sum(bytes), 0),"
            " coalesce(max(seq), 0), min(spooled_at) FROM batches"
        ).fetchone()
        (refused,) = connection.execute(REFUSED_BYTES).fetchone()
        path.chmod(0o600)
        # The file's name has to be as durable as what is in it.
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
    """Bytes of the WAL of the file at `path` beyond `WAL_BYTES`."""
    try:
        return max(0, path.with_name(path.name + "-wal").stat().st_size - WAL_BYTES)
    except FileNotFoundError:
        return 0


def cut_back(connection: sqlite3.Connection) -> None:
    """Empty the WAL, unless somebody reads it: nobody is waited for."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, and not the disk or the statement."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def set_aside(path: Path, error: sqlite3.Error) -> None:
    """Move a file that is not open, and its WAL, out of the way; nothing is deleted."""
    stem = f"{path.name}.corrupt-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(stem + suffix))
    aside = path.with_name(stem)
    log.error("the spool is corrupt (%s): kept as %s; a new one begins", error, aside)


def _refuse_fault(found: str) -> None:
    if found != "ok":
        raise sqlite3.DatabaseError(found)
