"""What keeps records while Kafka does not acknowledge: batches in SQLite, one file per process.

A batch is durable when `write` returns: WAL, synchronous FULL. A whole batch is one row, because
each statement hands the interpreter over, which costs a busy door more than the disk does.
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
from pipeline.delivery.instance_lock import SLOTS, InstanceLock, SpoolError
from pipeline.delivery.publisher import Record

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Spool:
    """One slot's spool_file. Not for two threads at a time. Each method may raise `SpoolError`."""

    def __init__(self, folder: Path, *, cap: int) -> None:
        self._folder = folder
        self._cap = cap
        self._slot: InstanceLock | None = None
        self._connection: sqlite3.Connection | None = None
        self._oldest: int | None = None
        self.depth = 0
        """Records in it."""
        self.bytes = 0
        """Of its batches."""
        self.refused = 0
        """Bytes of records that Kafka takes in no form."""
        self.last = 0
        """The highest number of a batch."""

    @property
    def size(self) -> int:
        """Bytes that count against the cap: batches, `refused`, a WAL that someone reads."""
        return self.bytes + self.refused + (spool_file.excess(self._slot.path) if self._slot else 0)

    def open(self, *, slot: int | None = None) -> sqlite3.Connection:
        """Own a slot (`slot`, else the first free one) with what is in it. Again does nothing."""
        if self._connection is None:
            try:
                if self._slot is None:
                    self._slot = InstanceLock.take(self._folder, SLOTS if slot is None else [slot])
                self._connection, found = spool_file.opened(self._slot.path)
            except (OSError, sqlite3.Error) as error:
                raise SpoolError(str(error)) from None
            self.depth, self.bytes, self._oldest = found.depth, found.bytes, found.oldest
            self.refused = found.refused
            # Numbers are never used again while the process lives.
            self.last = max(self.last, found.last)
        return self._connection

    def write(
        self, records: Sequence[Record], *, seq: int, spooled_at: int, gone: Sequence[int]
    ) -> None:
        """Keep `records`, if any, as batch `seq`, and forget the batches `gone`: one commit.

        `spooled_at` in epoch ms. Where the two do not go together, `gone` is tried alone: a disk
        without room for more must still become empty.
        """
        body = _encode(records) if records else b""
        if records and not self._has_room(len(body)):
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
            # Without a commit nothing else would cut it back once nobody reads it any more.
            with suppress(sqlite3.Error):
                spool_file.cut_back(self._connection)
            taken = self.size
        return taken + size <= self._cap

    def _transaction(
        self, row: tuple[int, int, int, int, bytes] | None, gone: Sequence[int]
    ) -> None:
        connection = self.open()
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
        row = self._query("SELECT seq, body FROM batches WHERE seq > ? ORDER BY seq LIMIT 1", after)
        if row is None:
            return None
        try:
            return row[0], _decode(row[1])
        except msgspec.DecodeError as error:
            self._failed(sqlite3.DatabaseError(f"batch {row[0]}: {error}"))

    def refuse(self, record: Record, reason: str) -> None:
        """Keep a record that Kafka takes in no form, where a person can look at it.

        Raises `SpoolError` as `check_refused` does.
        """
        self.check_refused()
        self._query("INSERT INTO refused VALUES (?, ?, ?, ?)", *record, reason)
        self.refused += len(record.key) + len(record.value)

    def check_refused(self) -> None:
        """Raises `SpoolError` where no more of what Kafka takes in no form is kept.

        They have a cap of their own, as large: a spool that is full has to become empty. Over it,
        such a record waits in its batch, and what is behind it too.
        """
        if self.refused > self._cap:
            self._recount_refused()
        if self.refused > self._cap:
            raise SpoolError(
                f"{self.refused} bytes of records that Kafka takes in no form: look at them in the"
                " table `refused` of the spool's file, and delete them"
            )

    def _recount_refused(self) -> None:
        # A person may have deleted some.
        (self.refused,) = self._query(spool_file.REFUSED_BYTES) or (0,)

    def _query(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        connection = self.open()
        try:
            rows: list[tuple[Any, ...]] = connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
        return rows[0] if rows else None

    def _failed(self, error: sqlite3.Error) -> NoReturn:
        """Raise it as `SpoolError`; what is no trouble of the disk is a corrupt spool_file."""
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if spool_file.is_corrupt(error) and self._slot is not None:
            self._drop()
            try:
                spool_file.set_aside(self._slot.path, error)
            except OSError as trouble:
                raise SpoolError(f"{error}, and cannot be moved aside: {trouble}") from error
            self.depth = self.bytes = self.refused = 0
            self._oldest = None
        raise SpoolError(str(error)) from error

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def check(self) -> None:
        """Whether it would take a record now; costs a commit."""
        if not self._has_room(1):
            raise SpoolError("the spool is full")
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
            self._drop()
            if self._slot is not None:
                if is_done:
                    self._slot.path.unlink(missing_ok=True)
                self._slot.release()
                self._slot = None

    def sibling(self) -> Spool:
        """Another one of the same folder, not open."""
        return Spool(self._folder, cap=self._cap)

    def _has_refused(self) -> bool:
        return self._query("SELECT 1 FROM refused LIMIT 1") is not None

    def orphans(self) -> list[int]:
        """Slots with a file that are not this one; whether they are owned their locks tell."""
        own = self._slot.path if self._slot else None
        return [number for number, path in instance_lock.used(self._folder).items() if path != own]
