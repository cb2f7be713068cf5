"""Rows of a partition's changelog in LMDB: what of its devices does not fit in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import lmdb
import msgspec

from pipeline.domain.rules import Rules
from pipeline.stream import expiry
from pipeline.stream.rewriting import Replaced, Rewriting
from pipeline.stream.rows import StoredRow, entry_of, hashed, hour_in, packed, row_of, state_in
from pipeline.stream.state_file import FILE, HOURS, ROWS, StateFile, Tables

META_KEY = b"meta"
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
    _file: StateFile = field(init=False)
    _rewriting: Rewriting | None = None
    _replaced: Replaced | None = None

    @classmethod
    def open(cls, folder: Path, rules: Rules, meta: Meta, lock: IO[bytes]) -> LocalState:
        """The store in `folder`, which `lock` gives to this process; `meta` is that of a new one.

        A damaged one raises `lmdb.Error`. Raises OSError, too.
        """
        held = cls(rules, meta, folder, lock)
        _delete_folder(folder / _COMPACT)  # of a killed process
        for runs in folder.glob("run*"):  # the same
            runs.unlink()
        held._file = StateFile.open(folder)
        with held._file.env.begin() as transaction:
            known = transaction.get(META_KEY)
        if known is not None:
            try:
                held.meta = msgspec.json.decode(known, type=Meta)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                held._file.env.close()
                raise lmdb.CorruptedError(f"what it says of itself is not read: {error}") from None
        return held

    def read(self, key: bytes) -> Rows:
        """The states of a device."""
        prefix = hashed(key)
        rows = {}
        with self._file.reading() as tables:
            cursor = tables.cursor(ROWS)
            if cursor.set_range(prefix):
                for row, value in cursor:
                    if not row.startswith(prefix):
                        break
                    rows[row[len(prefix) :]] = state_in(value)
        return rows

    def write(self, changes: Changes, meta: Meta) -> None:
        """Apply `changes` and remember `meta`, in one transaction."""
        with self._changing() as tables:
            for row, key, value in _sorted(changes):
                before = tables.get(ROWS, row)
                hour = 0 if before is None else hour_in(before)
                if value is None:
                    tables.delete(ROWS, row)  # `due` finds that its entry is stale
                    continue
                if not hour:
                    hour = expiry.hour_of(value, self.rules)
                    tables.put(HOURS, entry_of(hour, row), b"")
                tables.put(ROWS, row, packed(hour, key, value))
            self._remember(tables, meta)

    def write_unindexed(self, changes: Changes, meta: Meta) -> None:
        """The same for rows read from the changelog: `index_some` finds their hours later.

        To decode all of them would take longer than the reading.
        """
        with self._changing() as tables:
            for row, key, value in _sorted(changes):
                if value is None:
                    tables.delete(ROWS, row)
                else:
                    tables.put(ROWS, row, packed(0, key, value))
            self._remember(tables, msgspec.structs.replace(meta, has_unindexed=True))

    def append(self, parts: Iterable[Sequence[StoredRow]], meta: Meta) -> None:
        """Write all rows of a changelog, in order, to a store that has none.

        A kill leaves some, and the offset as it was: they are read, and written, again.
        """
        for part in parts:
            for start in range(0, len(part), _APPENDED):
                with self._file.changing() as tables:
                    tables.append(ROWS, part[start : start + _APPENDED])
        with self._file.changing() as tables:
            self._remember(tables, msgspec.structs.replace(meta, has_unindexed=True))

    def index_some(self, after: bytes, count: int) -> bytes:
        """Index the next `count` rows after row `after`; returns the last one, b"" at the end."""
        with self._changing() as tables:
            last = expiry.index_some(tables, self.rules, after, count)
            meta = self.meta if last else msgspec.structs.replace(self.meta, has_unindexed=False)
            self._remember(tables, meta)
        return last

    def due(self, horizon: int, after: bytes, count: int) -> tuple[list[bytes], bytes]:
        """Devices of which nothing is needed at `horizon` (ms), by their rows here.

        Among the `count` index entries after `after`; also returns the last of them, b"" at the
        end. An entry whose row has changed since is moved.
        """
        with self._file.reading() as tables:
            found = expiry.due(tables, self.rules, horizon, after, count)
        if found.moved:
            with self._changing() as tables:
                expiry.move(tables, self.rules, found.moved)
        return found.keys, found.last

    def begin(self, boot: str | None) -> None:
        """Remember that this boot of the machine writes, before it does."""
        self._remember_synced(boot=boot)

    def erased(self) -> None:
        """Of what was written until now, nothing that is gone may stay in the file (E1)."""
        if self._rewriting is not None:
            self._rewriting.is_stale = True
        if not self.meta.has_erased:
            with self._file.changing() as tables:
                self._remember(tables, msgspec.structs.replace(self.meta, has_erased=True))

    @property
    def is_rewriting(self) -> bool:
        """Whether bytes of what was erased may be on the disk, until `rewrite_some` is done."""
        return self.meta.has_erased or self._replaced is not None

    def rewrite_some(self) -> None:
        """Write the next part of the file again. Raises OSError, too."""
        if self._replaced is not None:
            if not self._replaced.give_back_some():
                self._replaced = None
            return
        if self._rewriting is None:
            self._rewriting = Rewriting(self.folder / _COMPACT)
        with self._file.reading() as tables:
            if self._rewriting.copy_some(tables):
                return
        rewritten, self._rewriting = self._rewriting, None
        meta = msgspec.structs.replace(self.meta, has_erased=rewritten.is_stale)
        with rewritten.file.changing() as tables:
            self._remember(tables, meta)
        self._replaced = rewritten.replace(self.folder / FILE)
        self._file.env.close()
        self._file = rewritten.file

    def close(self) -> None:
        """Sync, so that what is here may be trusted after another boot of the machine.

        What was being written again begins anew when the folder is opened. Raises OSError, too.
        """
        self._file.env.sync(True)
        self._remember_synced(boot=None)
        self._close_files()
        _delete_folder(self.folder / _COMPACT)
        self._lock.close()

    def abandon(self) -> None:
        """Give the folder free. What was written again goes when the folder is opened again."""
        self._close_files()
        self._lock.close()

    def delete(self) -> None:
        """Delete its file; the folder stays this process's. Raises OSError."""
        self._close_files()
        (self.folder / FILE).unlink()

    def _close_files(self) -> None:
        self._file.env.close()
        if self._rewriting is not None:
            self._rewriting.file.env.close()

    @contextmanager
    def _changing(self) -> Iterator[Tables]:
        with self._file.changing() as tables:
            if self._rewriting is None:
                yield tables
            else:
                with self._rewriting.following(tables) as both:
                    yield both

    def _remember_synced(self, *, boot: str | None) -> None:
        if self.meta.boot != boot:
            with self._file.changing() as tables:
                self._remember(tables, msgspec.structs.replace(self.meta, boot=boot))
            self._file.env.sync(True)

    def __len__(self) -> int:
        with self._file.reading() as tables:
            return tables.entries(ROWS)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written to it."""
        return not self.meta.offset and not len(self)

    @property
    def disk_bytes(self) -> int:
        """What its file takes on the disk. Raises OSError."""
        return (self.folder / FILE).stat().st_blocks * 512

    def _remember(self, tables: Tables, meta: Meta) -> None:
        tables.transaction.put(META_KEY, msgspec.json.encode(meta))
        self.meta = meta


def _delete_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _sorted(changes: Changes) -> Iterable[tuple[bytes, bytes, bytes | None]]:
    """(row, device key, value) in the order of the pages."""
    return sorted(
        (row_of(key, writer), key, value)
        for key, by_writer in changes.items()
        for writer, value in by_writer.items()
    )
