"""Writes files of the archive, and names them in place of the rows or files that they replace.

Writing takes seconds, runs beside the loader's transactions, and changes nothing. Naming is one
short transaction. A process that dies between the two leaves a file that nothing names.
"""

from __future__ import annotations

import hashlib
import os
import stat
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import duckdb

from pipeline.warehouse.archive.integrity import refuse_damaged
from pipeline.warehouse.cause import cause
from pipeline.warehouse.manifest import (
    ArchiveError,
    ArchiveFile,
    archive_files,
    define_events,
    layout_of,
    own_folder,
    refuse_special,
)
from pipeline.warehouse.snapshots.snapshot_files import sync_folder
from pipeline.warehouse.sql import quoted

# A device's rows of a day are together, so that one device reads a row group or two.
_ORDER = "day, store_id, device_key, occurred_at"
# Equal for equal rows in any order. A row is never changed, only added or erased.
_ROWS = "SELECT count(*), sum(hash(event)) FROM {} AS event"
_KEYS = "SELECT count(*), sum(hash(event_key, occurred_at)) FROM {} AS event"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The days of a file, both included: one, or a month."""

    first: date
    last: date

    @property
    def is_day(self) -> bool:
        """Whether it is one day."""
        return self.first == self.last

    @property
    def month(self) -> Span:
        """The whole month of its first day."""
        days = monthrange(self.first.year, self.first.month)[1]
        return Span(self.first.replace(day=1), self.first.replace(day=days))

    @property
    def rows(self) -> str:
        """The condition that an event is of these days."""
        return f"day BETWEEN DATE '{self.first}' AND DATE '{self.last}'"

    @property
    def folder(self) -> str:
        """The folder of its files. DuckDB reads the day from `day=`."""
        return f"day={self.first}" if self.is_day else f"{self.first:%Y-%m}"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A whole, synced file that is not yet named.

    `replaces` are the named files whose rows it holds; without any, its rows are in `hot_events`.
    """

    file: ArchiveFile
    replaces: tuple[str, ...] = ()


class _Rows(NamedTuple):
    """What a file holds."""

    layout: str
    events: int
    first_at: datetime
    last_at: datetime
    last_received_at: datetime


class Freezer:
    """Moves rows of `hot_events` into files below `folder`, and merges files.

    The files have the file mode `mode`, like snapshots.
    """

    def __init__(self, folder: Path, *, mode: int = 0o400) -> None:
        self._folder = folder
        self._mode = mode

    def freeze(self, connection: duckdb.DuckDBPyConnection, span: Span) -> WrittenFile | None:
        """Write the rows of `span` that `connection` sees now; None when there are none.

        Raises OSError, duckdb.Error and `ArchiveError`, and then leaves no file.
        """
        rows = f"(FROM hot_events WHERE {span.rows})"
        file = self._write(connection, span, rows, is_sorted=False)
        return None if file is None else WrittenFile(file)

    def merge(self, connection: duckdb.DuckDBPyConnection, span: Span) -> WrittenFile | None:
        """Write the rows of all named files within `span`; None when there are none.

        Raises like `freeze`.
        """
        files = [
            file
            for file in archive_files(connection)
            if span.first <= file.first_day and file.last_day <= span.last
        ]
        if not files:
            return None
        # The merged file would give the damage a sum of its own.
        refuse_damaged(files, self._folder)
        files.sort(key=lambda file: file.first_day)
        # Then a file after the other: a sort would take the memory of a month.
        is_sorted = all(one.last_day < other.first_day for one, other in pairwise(files))
        names = [self._folder / file.name for file in files]
        # A column that older files lack is NULL in their rows.
        rows = f"(FROM (FROM hot_events LIMIT 0) UNION ALL BY NAME FROM {_read(*names)})"
        merged = self._write(connection, span, rows, is_sorted=is_sorted)
        return None if merged is None else WrittenFile(merged, tuple(file.name for file in files))

    def without(
        self, connection: duckdb.DuckDBPyConnection, file: ArchiveFile, condition: str
    ) -> WrittenFile | None:
        """Write the rows of `file` that do not meet `condition`; None when there are none.

        Raises like `freeze`.
        """
        span = Span(file.first_day, file.last_day)
        held = f"FROM {_read(self._folder / file.name)} WHERE NOT ({condition})"
        rows = f"(FROM (FROM hot_events LIMIT 0) UNION ALL BY NAME {held})"
        written = self._write(connection, span, rows, is_sorted=True)
        return None if written is None else WrittenFile(written, (file.name,))

    def name(self, connection: duckdb.DuckDBPyConnection, written: WrittenFile) -> bool:
        """Name `written` in place of what it replaces, in one transaction.

        Rows that came since it was written stay in `hot_events`. When it holds a row that has been
        erased since, nothing changes and the file is deleted: False.
        """
        connection.execute("BEGIN")
        try:
            is_right = (
                self._unname(connection, written)
                if written.replaces
                else self._drop_rows(connection, written.file)
            )
            if is_right:
                connection.execute(
                    "INSERT INTO archive_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    written.file.row(),
                )
                connection.execute("UPDATE archive_folder SET changes = changes + 1")
                define_events(connection, self._folder)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT" if is_right else "ROLLBACK")
        if not is_right:
            self.discard(written)
        return is_right

    def discard(self, written: WrittenFile) -> None:
        """Delete a file that nothing names. Raises OSError."""
        (self._folder / written.file.name).unlink()

    def _write(
        self, connection: duckdb.DuckDBPyConnection, span: Span, rows: str, *, is_sorted: bool
    ) -> ArchiveFile | None:
        refuse_special(self._folder)
        folder = self._folder / own_folder(connection) / "events" / span.folder
        make_folders(folder, self._mode)
        path = folder / f"{uuid4().hex}.parquet"
        fresh = path.with_suffix(".new")
        try:
            try:
                held = _copy(connection, rows, fresh, is_sorted=is_sorted)
            except duckdb.IOException as error:
                # Without the name and the place of this attempt: the same error is the same line.
                reason = cause(error, names_file=False)
                raise ArchiveError(f"{folder} cannot be written: {reason}") from None
            if held is None:
                return None
            set_mode(fresh, self._mode)
            with fresh.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            size = fresh.stat().st_size
            fresh.rename(path)
            sync_folder(folder)
        finally:
            fresh.unlink(missing_ok=True)
        name = str(path.relative_to(self._folder))
        return ArchiveFile(name, span.first, span.last, size, sha256, *held)

    def _unname(self, connection: duckdb.DuckDBPyConnection, written: WrittenFile) -> bool:
        unnamed = connection.execute(
            "DELETE FROM archive_files WHERE name IN (SELECT unnest(?)) RETURNING name",
            [list(written.replaces)],
        ).fetchall()
        return len(unnamed) == len(written.replaces)

    def _drop_rows(self, connection: duckdb.DuckDBPyConnection, file: ArchiveFile) -> bool:
        archived = _read(self._folder / file.name)
        span = Span(file.first_day, file.last_day).rows
        hot = connection.execute(_KEYS.format(f"(FROM hot_events WHERE {span})")).fetchall()
        has_newcomers = hot != connection.execute(_KEYS.format(archived)).fetchall()
        if has_newcomers:
            rows = f"hot_events ANTI JOIN {archived} USING (event_key, occurred_at) WHERE {span}"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE newcomers AS FROM {rows}")
            ((newcomers,),) = connection.execute("SELECT count(*) FROM newcomers").fetchall()
            if newcomers + file.events != hot[0][0]:
                return False
        connection.execute(f"DELETE FROM hot_events WHERE {span}")  # noqa: S608  # our own names
        if has_newcomers:
            connection.execute("INSERT INTO hot_events FROM newcomers")
        return True


def _copy(
    connection: duckdb.DuckDBPyConnection, rows: str, fresh: Path, *, is_sorted: bool
) -> _Rows | None:
    """Write `rows` to `fresh` and read them back; None when there are none."""
    connection.execute("BEGIN")
    try:
        layout = layout_of(connection, "hot_events")
        order = "" if is_sorted else f"ORDER BY {_ORDER}"
        copied = f"COPY (FROM {rows} {order}) TO {quoted(fresh)}"
        connection.execute(f"{copied} (FORMAT parquet, COMPRESSION zstd)")
        source = connection.execute(_ROWS.format(rows)).fetchall()
    finally:
        connection.execute("ROLLBACK")  # it only read
    if source[0][0] == 0:
        return None
    if connection.execute(_ROWS.format(_read(fresh))).fetchall() != source:
        raise ArchiveError(f"{fresh} does not hold the rows that were written to it")
    (times,) = connection.execute(
        f"SELECT min(occurred_at), max(occurred_at), max(received_at) FROM {_read(fresh)}"  # noqa: S608  # our own names
    ).fetchall()
    return _Rows(layout, source[0][0], *times)


def _read(*paths: Path) -> str:
    names = ", ".join(map(quoted, paths))
    return f"read_parquet([{names}], hive_partitioning = false, union_by_name = true)"


def make_folders(folder: Path, mode: int) -> None:
    """Create `folder`, synced, for those who may read files of `mode`."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        set_mode(path, mode)
        sync_folder(path.parent)


def set_mode(path: Path, mode: int) -> None:
    """Give a file the mode `mode`; a folder may be entered by those who may read such files."""
    if path.is_dir():
        group = path.stat().st_mode & stat.S_ISGID  # new files get the folder's group
        mode = 0o700 | mode & 0o044 | (mode & 0o044) >> 2 | group
    path.chmod(mode)
