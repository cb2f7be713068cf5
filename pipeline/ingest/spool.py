"""What keeps records while Kafka does not acknowledge: batches in SQLite, one file per process.

A batch is durable when `write` returns: WAL, synchronous FULL. A whole batch is one row, because
each statement hands the interpreter over, which costs a busy door more than the disk does.

A process owns a slot of `<home>/spool` by a lock on `<n>.lock` that ends with it, however it ends;
whoever takes a free slot takes what is left in it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from pipeline.ingest.pending import Record

# More ingest processes than this on one home are a mistake.
SLOTS = 256
SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY, spooled_at INTEGER NOT NULL, records INTEGER NOT NULL,
    bytes INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (
    topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, reason TEXT NOT NULL
);
"""

log = logging.getLogger(__name__)


class SpoolError(Exception):
    """The spool cannot take or give it now: full, or the disk's own words."""


class OwnedError(SpoolError):
    """Another process that lives has the slot."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Spool:
    """One slot's file. Not for two threads at a time. Each method may raise `SpoolError`."""

    def __init__(self, folder: Path, *, cap: int) -> None:
        self._folder = folder
        self._cap = cap
        self._lock: int | None = None
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None
        self._oldest: int | None = None
        self.depth = 0
        """Records in it."""
        self.bytes = 0
        """Of its batches; with them the cap is met."""
        self.last = 0
        """The highest number of a batch."""

    def open(self, *, slot: int | None = None) -> None:
        """Own a slot (`slot`, else the first free one) with what is in it. Again does nothing."""
        if self._connection is not None:
            return
        try:
            if self._lock is None:
                self._take(range(SLOTS) if slot is None else [slot])
            self._connect()
        except (OSError, sqlite3.OperationalError) as error:
            raise SpoolError(str(error)) from None

    def _take(self, slots: Sequence[int]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for slot in slots:
            # O_CLOEXEC is Python's default: no child keeps the slot after this process.
            lock = os.open(self._folder / f"{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock, self._path = lock, self._folder / f"{slot}.db"
            return
        raise OwnedError(f"no free slot in {self._folder}")

    def _connect(self) -> None:
        assert self._path is not None  # noqa: S101  # `_take` has set it
        try:
            self._connection = self._opened(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            self._connection = self._opened(self._path)

    def _opened(self, path: Path) -> sqlite3.Connection:
        # It is made in one thread and used in another, never in two at a time.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(SCHEMA)
            fault = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            _refuse_fault(fault)
            row = connection.execute(
                "SELECT coalesce(sum(records), 0), coalesce(sum(bytes), 0),"
                " coalesce(max(seq), 0), min(spooled_at) FROM batches"
            ).fetchone()
        except BaseException:
            connection.close()
            raise
        self.depth, self.bytes, last, self._oldest = row
        # Numbers are never used again while the process lives.
        self.last = max(self.last, last)
        path.chmod(0o600)
        # The file's name has to be as durable as what is in it.
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Move a file that SQLite cannot read out of the way, its WAL too; nothing is deleted."""
        assert self._path is not None  # noqa: S101  # there is no error before there is a file
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        stem = f"{self._path.name}.corrupt-{time.time_ns()}"
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(self._path.with_name(stem + suffix))
        self.depth = self.bytes = 0
        self._oldest = None
        aside = self._path.with_name(stem)
        log.error("the spool is corrupt (%s): kept as %s; a new one begins", error, aside)

    def write(
        self, records: Sequence[Record], *, seq: int, spooled_at: int, gone: Sequence[int]
    ) -> None:
        """Keep `records`, if any, as batch `seq`, and forget the batches `gone`: one commit.

        `spooled_at` in epoch ms. Where the two do not go together, `gone` is tried alone: a disk
        without room for more must still become empty.
        """
        body = _encode(records) if records else b""
        if records and self.bytes + len(body) > self._cap:
            if gone:
                self._transaction(None, gone)
            raise SpoolError("the spool is full")
        row = (seq, spooled_at, len(records), len(body), body) if records else None
        try:
            self._transaction(row, gone)
        except SpoolError:
            if row and gone:
                with suppress(SpoolError):  # the caller hears of the records, and tries again
                    self._transaction(None, gone)
            raise

    def _transaction(
        self, row: tuple[int, int, int, int, bytes] | None, gone: Sequence[int]
    ) -> None:
        self.open()
        connection = self._connection
        assert connection is not None  # noqa: S101  # `open` has made it
        removed: list[tuple[int, int]] = []
        try:
            if gone:
                connection.execute("BEGIN")
                removed = connection.execute(
                    "DELETE FROM batches WHERE seq IN (SELECT value FROM json_each(?))"
                    " RETURNING records, bytes",
                    (json.dumps(gone),),
                ).fetchall()
            if row:
                connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)
            if gone:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed(error)
        for records, size in removed:
            self.depth -= records
            self.bytes -= size
        if row:
            self.depth += row[2]
            self.bytes += row[3]
            self.last = max(self.last, row[0])
        if gone or self._oldest is None:
            first = self._query("SELECT spooled_at FROM batches ORDER BY seq LIMIT 1")
            self._oldest = first[0] if first else None

    def read(self, *, after: int) -> tuple[int, list[Record]] | None:
        """The first batch behind number `after`."""
        self.open()
        row = self._query("SELECT seq, body FROM batches WHERE seq > ? ORDER BY seq LIMIT 1", after)
        if row is None:
            return None
        try:
            return row[0], _decode(row[1])
        except msgspec.DecodeError as error:
            self._failed(sqlite3.DatabaseError(f"batch {row[0]}: {error}"))

    def refuse(self, record: Record, reason: str) -> None:
        """Keep a record that Kafka takes in no form, where a person can look at it."""
        self.open()
        self._query("INSERT INTO refused VALUES (?, ?, ?, ?)", *record, reason)

    def _query(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        assert self._connection is not None  # noqa: S101  # all callers have opened it
        try:
            rows: list[tuple[Any, ...]] = self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
        return rows[0] if rows else None

    def _failed(self, error: sqlite3.Error) -> NoReturn:
        """Raise it as `SpoolError`; what is no trouble of the disk is a corrupt file."""
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            try:
                self._set_aside(error)
            except OSError as trouble:
                raise SpoolError(f"{error}, and cannot be moved aside: {trouble}") from error
        raise SpoolError(str(error)) from error

    def check(self) -> None:
        """Whether it would take a record now; costs a commit."""
        if self.bytes >= self._cap:
            raise SpoolError("the spool is full")
        self.open()
        self._query("PRAGMA user_version = 1")

    def age(self, *, now: int) -> timedelta:
        """How long its oldest batch has been there; zero when it is empty. `now` in epoch ms."""
        oldest = self._oldest
        return timedelta(milliseconds=max(0, now - oldest)) if oldest is not None else timedelta(0)

    def close(self, *, delete: bool = False) -> None:
        """Let the slot go, whatever else fails; its empty file with it if `delete`."""
        is_done = False
        try:
            if self._connection is not None:
                is_done = delete and self.depth == 0 and not self._has_refused()
        finally:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None
            if is_done and self._path is not None:
                self._path.unlink(missing_ok=True)
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def sibling(self) -> Spool:
        """Another one of the same folder, not open."""
        return Spool(self._folder, cap=self._cap)

    def _has_refused(self) -> bool:
        return self._query("SELECT 1 FROM refused LIMIT 1") is not None

    def orphans(self) -> list[int]:
        """Slots with a file that are not this one; whether they are owned their locks tell."""
        found = (path.stem for path in self._folder.glob("*.db"))
        own = self._path.stem if self._path is not None else ""
        return sorted(int(stem) for stem in found if stem.isdigit() and stem != own)


def _refuse_fault(found: str) -> None:
    if found != "ok":
        raise sqlite3.DatabaseError(found)
