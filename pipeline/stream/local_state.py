"""Rows of a partition's changelog in LMDB: what of its devices does not fit in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import lmdb
import msgspec

from pipeline.domain.rules import Rules
from pipeline.stream import expiry
from pipeline.stream.expiry import Tables
from pipeline.stream.rows import Row, entry_of, hashed, hour_in, packed, row_of, state_in

# Address space, of which the disk gives what is written.
_MAP_BYTES = 1 << 38
_META = b"meta"
_COMPACT = "compact"
# Rows of a transaction: pages that were written are in memory until its end.
_APPENDED = 20_000

Rows = dict[bytes, bytes]
"""The encoded states of a device, by writer."""
Changes = Mapping[bytes, Mapping[bytes, bytes | None]]
"""By device key and writer; None deletes."""


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a store knows of itself. Times in seconds since 1970.

    The rows are those of the changelog before `offset`, and perhaps some after it; `moved_at` is
    when `offset` last moved, `begun_at` when the first row was read. `boot` is that of the machine,
    None once all is synced. `has_unindexed` says that some rows are under no hour, `has_erased`
    that the file may still hold what was erased.
    """

    identity: str
    begun_at: float
    moved_at: float
    boot: str | None
    offset: int = 0
    has_unindexed: bool = False
    has_erased: bool = False


@dataclass(slots=True)
class LocalState:
    """States by device and writer, and an index of them by the hour at which they are forgotten.

    A kill keeps every transaction, for the pages are the kernel's. Methods raise `lmdb.Error`.
    """

    rules: Rules
    meta: Meta
    folder: Path
    _lock: IO[bytes]
    _env: lmdb.Environment = field(init=False)
    _rows: Any = field(init=False)
    _hours: Any = field(init=False)

    @classmethod
    def open(cls, folder: Path, rules: Rules, meta: Meta, lock: IO[bytes]) -> LocalState:
        """The store in `folder`, which `lock` gives to this process; `meta` is that of a new one.

        A damaged one raises `lmdb.Error`.
        """
        held = cls(rules, meta, folder, lock)
        shutil.rmtree(folder / _COMPACT, ignore_errors=True)  # of a killed process
        for run in folder.glob("run-*"):  # the same
            run.unlink()
        held._open()
        with held._env.begin() as transaction:
            known = transaction.get(_META)
        if known is not None:
            held.meta = msgspec.json.decode(known, type=Meta)
        return held

    def _open(self) -> None:
        self._env = lmdb.open(
            str(self.folder),
            map_size=_MAP_BYTES,
            max_dbs=3,
            # Read at random, and trusted after a power cut only if synced since.
            readahead=False,
            sync=False,
            # `lock` does it, also for a process that has not noticed its own pause.
            lock=False,
            mode=0o600,
        )
        try:
            self._refuse_torn()
        except lmdb.Error:
            self._env.close()
            raise
        self._rows = self._env.open_db(b"rows")
        self._hours = self._env.open_db(b"hours")

    def _refuse_torn(self) -> None:
        # Reading beyond the file's end would kill the process.
        pages = self._env.info()["last_pgno"] + 1
        size = (self.folder / "data.mdb").stat().st_size
        if size < pages * self._env.stat()["psize"]:
            raise lmdb.CorruptedError(f"{self.folder}: {size} bytes are not {pages} pages")

    def read(self, key: bytes) -> Rows:
        """The states of a device."""
        prefix = hashed(key)
        rows = {}
        with self._env.begin(db=self._rows) as transaction:
            cursor = transaction.cursor()
            if cursor.set_range(prefix):
                for row, value in cursor:
                    if not row.startswith(prefix):
                        break
                    rows[row[len(prefix) :]] = state_in(value)
        return rows

    def write(self, changes: Changes, meta: Meta) -> None:
        """Apply `changes` and remember `meta`, in one transaction."""
        with self._env.begin(write=True) as transaction:
            for row, key, value in _sorted(changes):
                before = transaction.get(row, db=self._rows)
                hour = 0 if before is None else hour_in(before)
                if value is None:
                    transaction.delete(row, db=self._rows)  # `due` finds that its entry is stale
                    continue
                if not hour:
                    hour = expiry.hour_of(value, self.rules)
                    transaction.put(entry_of(hour, row), b"", db=self._hours)
                transaction.put(row, packed(hour, key, value), db=self._rows)
            self._remember(transaction, meta)

    def write_unindexed(self, changes: Changes, meta: Meta) -> None:
        """The same for rows read from the changelog: `index_some` finds their hours later.

        To decode all of them would take longer than the reading.
        """
        with self._env.begin(write=True) as transaction:
            for row, key, value in _sorted(changes):
                if value is None:
                    transaction.delete(row, db=self._rows)
                else:
                    transaction.put(row, packed(0, key, value), db=self._rows)
            self._remember(transaction, msgspec.structs.replace(meta, has_unindexed=True))

    def append(self, rows: Iterable[Row], meta: Meta) -> None:
        """Write all `rows` of a changelog, in order, to a store that has none.

        A kill leaves some, and the offset as it was: they are read, and written, again.
        """
        entries = iter(rows)
        while some := list(islice(entries, _APPENDED)):
            with self._env.begin(write=True) as transaction:
                for row, key, state in some:
                    value = packed(0, key, state)
                    if not transaction.put(row, value, db=self._rows, append=True):
                        raise lmdb.KeyExistsError(f"{self.folder} has rows already")
        with self._env.begin(write=True) as transaction:
            self._remember(transaction, msgspec.structs.replace(meta, has_unindexed=True))

    def index_some(self, after: bytes, count: int) -> bytes:
        """Index the next `count` rows after row `after`; returns the last one, b"" at the end."""
        with self._env.begin(write=True) as transaction:
            last = expiry.index_some(self._tables(transaction), self.rules, after, count)
            meta = self.meta if last else msgspec.structs.replace(self.meta, has_unindexed=False)
            self._remember(transaction, meta)
        return last

    def due(self, horizon: int, after: bytes, count: int) -> tuple[list[bytes], bytes]:
        """Devices of which nothing is needed at `horizon` (ms), by their rows here.

        Among the `count` index entries after `after`; also returns the last of them, b"" at the
        end. An entry whose row has changed since is moved.
        """
        with self._env.begin() as transaction:
            found = expiry.due(self._tables(transaction), self.rules, horizon, after, count)
        if found.moved:
            with self._env.begin(write=True) as transaction:
                expiry.move(self._tables(transaction), self.rules, found.moved)
        return found.keys, found.last

    def begin(self, boot: str | None) -> None:
        """Remember that this boot of the machine writes, before it does."""
        self._remember_synced(boot=boot)

    def compact(self) -> None:
        """Write the file again: LMDB overwrites what was deleted only when it needs the page (E1).

        Raises OSError, too.
        """
        fresh = self.folder / _COMPACT
        fresh.mkdir(mode=0o700)
        self._env.copy(str(fresh), compact=True)
        self._env.close()
        (fresh / "data.mdb").chmod(0o600)
        (fresh / "data.mdb").replace(self.folder / "data.mdb")
        fresh.rmdir()
        self._open()
        with self._env.begin(write=True) as transaction:
            self._remember(transaction, msgspec.structs.replace(self.meta, has_erased=False))

    def close(self) -> None:
        """Sync, so that what is here may be trusted after another boot of the machine."""
        self._env.sync(True)
        self._remember_synced(boot=None)
        self.abandon()

    def abandon(self) -> None:
        """Give the folder free."""
        self._env.close()
        self._lock.close()

    def delete(self) -> None:
        """Delete its file; the folder stays this process's. Raises OSError."""
        self._env.close()
        (self.folder / "data.mdb").unlink()

    def _remember_synced(self, *, boot: str | None) -> None:
        if self.meta.boot != boot:
            with self._env.begin(write=True) as transaction:
                self._remember(transaction, msgspec.structs.replace(self.meta, boot=boot))
            self._env.sync(True)

    def __len__(self) -> int:
        with self._env.begin() as transaction:
            return int(transaction.stat(self._rows)["entries"])

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written to it."""
        return not self.meta.offset and not len(self)

    @property
    def disk_bytes(self) -> int:
        """What its file takes on the disk. Raises OSError."""
        return (self.folder / "data.mdb").stat().st_blocks * 512

    def _tables(self, transaction: lmdb.Transaction) -> Tables:
        return Tables(transaction, self._rows, self._hours)

    def _remember(self, transaction: lmdb.Transaction, meta: Meta) -> None:
        transaction.put(_META, msgspec.json.encode(meta))
        self.meta = meta


def _sorted(changes: Changes) -> Iterable[tuple[bytes, bytes, bytes | None]]:
    """(row, device key, value) in the order of the pages."""
    return sorted(
        (row_of(key, writer), key, value)
        for key, by_writer in changes.items()
        for writer, value in by_writer.items()
    )
