"""Keeps records while Kafka does not acknowledge: batches in SQLite, one file per process.

A batch is durable when `write` returns: WAL, synchronous FULL. A whole batch is one row, because
each statement releases the interpreter lock, which costs a busy ingest more than the disk does.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from pipeline.delivery import instance_lock, spool_file
from pipeline.delivery.instance_lock import INSTANCES, InstanceLock, SpoolError
from pipeline.delivery.publisher import Record

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Spool:
    """One instance's file. Use it from one thread at a time. Each method may raise `SpoolError`."""

    def __init__(self, folder: Path, *, cap: int) -> None:
        self._folder = folder
        self._cap = cap
        self._lock: InstanceLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._oldest: int | None = None
        self.depth = 0
        """Records in the spool."""
        self.bytes = 0
        """Bytes of its batches."""
        self.refused = 0
        """Bytes of records that Kafka refuses in every form."""
        self.last = 0
        """The highest sequence number of a batch."""

    @property
    def size(self) -> int:
        """Bytes that count against the cap: batches, `refused`, and a WAL kept long by a reader."""
        return self.bytes + self.refused + (spool_file.excess(self._lock.path) if self._lock else 0)

    def open(self, *, instance: int | None = None) -> sqlite3.Connection:
        """Lock `instance`, else the first free one, and open its file, unless it is open."""
        if self._connection is None:
            try:
                if self._lock is None:
                    instances = INSTANCES if instance is None else [instance]
                    self._lock = InstanceLock.acquire(self._folder, instances)
                self._connection, found = spool_file.open_file(self._lock.path)
            except (OSError, sqlite3.Error) as error:
                raise SpoolError(str(error)) from None
            self.depth, self.bytes, self._oldest = found.depth, found.bytes, found.oldest
            self.refused = found.refused
            # Sequence numbers are never reused while the process lives.
            self.last = max(self.last, found.last)
        return self._connection

    def write(
        self, records: Sequence[Record], *, seq: int, spooled_at: int, delete: Sequence[int]
    ) -> None:
        """Add `records`, if any, as batch `seq`, and delete the batches `delete`: one commit.

        `spooled_at` in epoch ms. If that fails, the delete is tried alone: a full disk must still
        become empty.
        """
        body = _encode(records) if records else b""
        if records and not self._has_room(len(body)):
            if delete:
                self._transaction(None, delete)
            raise SpoolError("the spool is full")
        row = (seq, spooled_at, len(records), len(body), body) if records else None
        try:
            self._transaction(row, delete)
        except SpoolError:
            if row and delete:
                with suppress(SpoolError):  # the first error is raised, and the caller tries again
                    self._transaction(None, delete)
            raise

    def _has_room(self, size: int) -> bool:
        taken = self.size
        if taken + size > self._cap and self.refused:
            self._recount_refused()
            taken = self.size
        if (
            taken + size > self._cap
            and taken > self.bytes + self.refused
            and self._connection is not None
        ):
            # The reader may be delete, and without a commit nothing else would truncate the WAL.
            with suppress(sqlite3.Error):
                spool_file.truncate_wal(self._connection)
            taken = self.size
        return taken + size <= self._cap

    def _transaction(
        self, row: tuple[int, int, int, int, bytes] | None, delete: Sequence[int]
    ) -> None:
        connection = self.open()
        removed: list[tuple[int, int]] = []
        try:
            if delete:
                connection.execute("BEGIN")
                removed = connection.execute(
                    "DELETE FROM batches WHERE seq IN (SELECT value FROM json_each(?))"
                    " RETURNING records, bytes",
                    (json.dumps(delete),),
                ).fetchall()
            if row:
                connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)
            if delete:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed(error)
        for records, size in removed:
            self.depth -= records
            self.bytes -= size
        if removed and not self.depth and not row:
            # Nor in the WAL; a reader delays that until the spool is used again.
            with suppress(sqlite3.Error):
                spool_file.truncate_wal(connection)
        if row:
            self.depth += row[2]
            self.bytes += row[3]
            self.last = max(self.last, row[0])
        if delete or self._oldest is None:
            first = self._query("SELECT spooled_at FROM batches ORDER BY seq LIMIT 1")
            self._oldest = first[0] if first else None

    def read(self, *, after: int) -> tuple[int, list[Record]] | None:
        """The first batch with a sequence number above `after`, and that number."""
        row = self._query("SELECT seq, body FROM batches WHERE seq > ? ORDER BY seq LIMIT 1", after)
        if row is None:
            return None
        try:
            return row[0], _decode(row[1])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._failed(sqlite3.DatabaseError(f"batch {row[0]}: {error}"))

    def refuse(self, record: Record, reason: str) -> None:
        """Keep a record that Kafka refuses in every form, for an operator to look at."""
        self.check_refused()
        self._query("INSERT INTO refused VALUES (?, ?, ?, ?)", *record, reason)
        self.refused += len(record.key) + len(record.value)

    def check_refused(self) -> None:
        """Raise `SpoolError` if there is no room for more refused records.

        They have a cap of their own, of the same size, because a full spool has to become empty.
        Above it a refused record stays in its batch, and the replay stops there.
        """
        if self.refused > self._cap:
            self._recount_refused()
        if self.refused > self._cap:
            raise SpoolError(
                f"{self.refused} bytes of records that Kafka refuses in every form: inspect the"
                " table `refused` of the spool's file, then delete its rows"
            )

    def _recount_refused(self) -> None:
        # An operator may have deleted some.
        (self.refused,) = self._query(spool_file.REFUSED_BYTES) or (0,)

    def _query(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        connection = self.open()
        try:
            rows: list[tuple[Any, ...]] = connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
        return rows[0] if rows else None

    def _failed(self, error: sqlite3.Error) -> NoReturn:
        """Raise `error` as `SpoolError`; first set the file aside if it is corrupt."""
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if spool_file.is_corrupt(error) and self._lock is not None:
            self._drop()
            try:
                spool_file.set_aside(self._lock.path, error)
            except OSError as failure:
                raise SpoolError(f"{error}, and cannot be moved aside: {failure}") from error
            self.depth = self.bytes = self.refused = 0
            self._oldest = None
        raise SpoolError(str(error)) from error

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def check(self) -> None:
        """Raise `SpoolError` if a record could not be written now. Costs a commit."""
        if not self._has_room(1):
            raise SpoolError("the spool is full")
        self._query("PRAGMA user_version = 1")

    def age(self, *, now: int) -> timedelta:
        """Age of the oldest batch; zero if there is none. `now` in epoch ms."""
        oldest = self._oldest
        return timedelta(milliseconds=max(0, now - oldest)) if oldest is not None else timedelta(0)

    def close(self, *, delete: bool = False) -> None:
        """Close the file, and delete it if `delete` and it is empty. Always releases the lock."""
        is_empty = False
        try:
            if self._connection is not None:
                is_empty = delete and self.depth == 0 and not self._has_refused()
        finally:
            self._drop()
            if self._lock is not None:
                if is_empty:
                    self._lock.path.unlink(missing_ok=True)
                self._lock.release()
                self._lock = None

    def sibling(self) -> Spool:
        """A spool of the same folder, not open yet."""
        return Spool(self._folder, cap=self._cap)

    def _has_refused(self) -> bool:
        return self._query("SELECT 1 FROM refused LIMIT 1") is not None

    def other_instances(self) -> list[int]:
        """The other instances that have a file. Their locks tell whether they are abandoned."""
        own = self._lock.path if self._lock else None
        files = instance_lock.spool_files(self._folder)
        return [number for number, path in files.items() if path != own]
