"""Writes a local store's file again while it is in use, so that nothing erased is in it (E1).

LMDB overwrites a page that it freed only when it needs it, and then perhaps not all of it: bytes of
what is gone get into pages that are in use, and into each copy of these. So it is the rows that are
copied, in order, a few at a time. What changes meanwhile is changed in both files, as far as they
are the same; beyond that it is copied when its turn comes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.stream.state_file import FILE, HOURS, ROWS, StateFile, Tables

_REPLACED = "replaced"
# Copied at a time: some milliseconds, in which no record is answered.
_COPIED_BYTES, _BYTES_OF_A_KEY = 128 * 1024, 100
# Given back at a time: for all of a gigabyte a file system takes half a second.
_GIVEN_BACK_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class _Both(Tables):
    """Tables of which `copy` has the same up to the keys `reached`, and keeps it."""

    copy: Tables
    reached: list[bytes]

    def put(self, table: int, key: bytes, value: bytes) -> None:
        Tables.put(self, table, key, value)
        if key <= self.reached[table]:
            self.copy.put(table, key, value)

    def delete(self, table: int, key: bytes) -> None:
        Tables.delete(self, table, key)
        if key <= self.reached[table]:
            self.copy.delete(table, key)


@dataclass(slots=True)
class Rewriting:
    """A file in the new folder `folder` that gets what another has. Raises `lmdb.Error`, OSError.

    `is_stale`: it may hold bytes of what was erased since it began.
    """

    folder: Path
    is_stale: bool = False
    file: StateFile = field(init=False)
    _reached: list[bytes] = field(default_factory=lambda: [b"", b""])

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700)
        self.file = StateFile.open(self.folder)

    @contextmanager
    def following(self, tables: Tables) -> Iterator[Tables]:
        """What is changed in the result is changed in `tables`, and here."""
        with self.file.changing() as copy:
            yield _Both(tables.transaction, tables.tables, copy, self._reached)

    def copy_some(self, tables: Tables) -> bool:
        """Copy what comes next in `tables`; False if nothing does: both have the same."""
        for table in (ROWS, HOURS):
            if some := _next(tables, table, self._reached[table]):
                with self.file.changing() as copy:
                    copy.append(table, some)
                self._reached[table] = some[-1][0]
                return True
        return False

    def replace(self, path: Path) -> Replaced:
        """Take the place of the file `path`. A kill leaves the old or the new."""
        # With a second name, for without any the file system would give all of it back at once.
        (self.folder / _REPLACED).hardlink_to(path)
        (self.folder / FILE).replace(path)
        return Replaced(self.folder)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file that was replaced, in a folder of its own. Raises OSError."""

    folder: Path

    def give_back_some(self) -> bool:
        """Shorten it; False if it is gone, and the folder too."""
        file = self.folder / _REPLACED
        size = file.stat().st_size
        if size:
            os.truncate(file, max(0, size - _GIVEN_BACK_BYTES))
            return True
        file.unlink()
        self.folder.rmdir()
        return False


def _next(tables: Tables, table: int, after: bytes) -> list[tuple[bytes, bytes]]:
    some: list[tuple[bytes, bytes]] = []
    size, cursor = 0, tables.cursor(table)
    if cursor.set_range(after + b"\0"):
        for key, value in cursor:
            some.append((key, value))
            size += _BYTES_OF_A_KEY + len(value)
            if size >= _COPIED_BYTES:
                break
    return some
