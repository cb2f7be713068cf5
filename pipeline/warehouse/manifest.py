"""The archive: old rows of `events` in Parquet files, which the table `archive_files` names.

The table is the truth: it changes in the transaction that moves the rows, and a file that it does
not name does not count. The view `events` reads the named files and `hot_events` as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import date, datetime
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from pipeline.warehouse.cause import cause
from pipeline.warehouse.sql import quoted

FOLDER = "archive"
# They would mean something in a path that DuckDB reads.
SPECIAL = "*?[="


class ArchiveError(Exception):
    """The archive cannot be used. The message is one line that says what to do."""


@dataclass(frozen=True, slots=True, order=True)
class ArchiveFile:
    """A row of `archive_files`; `name` is relative to the archive's folder."""

    name: str
    first_day: date
    last_day: date
    bytes: int
    sha256: str
    layout: str
    events: int
    first_at: datetime
    last_at: datetime
    last_received_at: datetime

    def row(self) -> list[Any]:
        """The values of its row."""
        return list(astuple(self))

    @property
    def is_of_one_day(self) -> bool:
        """Whether its folder says the day, so that DuckDB skips it unopened."""
        return self.first_day == self.last_day


def archive_folder(database: Path) -> Path:
    """The folder of the archive of a live database or a snapshot, without symbolic links."""
    return database.parent.resolve() / FOLDER


def own_folder(connection: duckdb.DuckDBPyConnection) -> str:
    """The name of the folder, below the archive's, that holds the files of this database."""
    ((name,),) = connection.execute("SELECT name FROM archive_folder").fetchall()
    return str(name)


def archive_files(connection: duckdb.DuckDBPyConnection) -> list[ArchiveFile]:
    """The files of the archive, by name."""
    rows = connection.execute("FROM archive_files ORDER BY name").fetchall()
    return [ArchiveFile(*row) for row in rows]


def define_events(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create the view `events`. It names the files: a glob would read what a crash left, too."""
    text = "FROM hot_events"
    for branch in _branches(archive_files(connection), folder):
        # Nested: in a view DuckDB 2.0 writes `a UNION b UNION c` as `a UNION (b UNION c)`, of which
        # clients up to 1.4 silently lose rows when they stream the result.
        text = f"FROM ({text}) UNION ALL BY NAME {branch}"
    connection.execute(f"CREATE OR REPLACE VIEW events AS {text}")


def expected_folder(snapshot: duckdb.DuckDBPyConnection) -> Path | None:
    """Where the view `events` of an attached snapshot expects the archive; None if it has none."""
    one = snapshot.execute("SELECT name FROM archive_files LIMIT 1").fetchall()
    if not one:
        return None
    ((text,),) = snapshot.execute(
        "SELECT sql FROM duckdb_views()"
        " WHERE database_name = current_database() AND view_name = 'events'"
    ).fetchall()
    found = re.search(rf"'((?:[^']|'')*)/{re.escape(one[0][0])}'", text)
    return None if found is None else Path(found[1].replace("''", "'"))


def _branches(files: list[ArchiveFile], folder: Path) -> Iterator[str]:
    def kind(file: ArchiveFile) -> tuple[str, bool]:
        return file.layout, file.is_of_one_day

    for (_, is_of_one_day), group in groupby(sorted(files, key=kind), key=kind):
        same = list(group)
        names = ", ".join(quoted(folder / file.name) for file in same)
        days = (
            "hive_partitioning = true, hive_types = {'day': DATE}"
            if is_of_one_day
            else "hive_partitioning = false"
        )
        first_day, last_day = min(f.first_day for f in same), max(f.last_day for f in same)
        first_at, last_at = min(f.first_at for f in same), max(f.last_at for f in same)
        # True of every row: a query of other times is planned without opening a file.
        yield (
            f"FROM read_parquet([{names}], {days})"
            f" WHERE day BETWEEN DATE '{first_day}' AND DATE '{last_day}'"
            f" AND occurred_at BETWEEN TIMESTAMP '{first_at}' AND TIMESTAMP '{last_at}'"
        )


def verify(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Raises `ArchiveError` unless each named file is whole and has the columns of `events`."""
    files = archive_files(connection)
    if files:
        refuse_special(folder)
    missing = absent(files, folder)
    if missing:
        raise ArchiveError(missing)
    for file in files:
        footer = "SELECT num_rows FROM parquet_file_metadata(?)"
        try:
            rows = connection.execute(footer, [str(folder / file.name)]).fetchall()[0][0]
        except duckdb.Error as error:
            rows = cause(error)
        if rows != file.events:
            raise ArchiveError(
                f"archived events are damaged: {folder / file.name} should hold {file.events} rows"
                f" ({rows}): restore it"
            )


def refuse_special(folder: Path) -> None:
    """Raises `ArchiveError` for a path that DuckDB would take for a pattern, or for values."""
    if set(SPECIAL) & set(str(folder)):
        raise ArchiveError(
            f"the path {folder} contains one of {' '.join(SPECIAL)}: move the database to another"
            " folder, or nothing can be archived"
        )


def absent(files: list[ArchiveFile], folder: Path) -> str | None:
    """The first of `files` that is not there in its size, as text; None when all are."""
    for file in files:
        path = folder / file.name
        try:
            size = path.stat().st_size
        except OSError as error:
            return f"archived events are missing: {path} ({error.strerror}): restore it"
        if size != file.bytes:
            return (
                f"archived events are damaged: {path} has {size} bytes instead of {file.bytes}:"
                " restore it"
            )
    return None


def verify_types(connection: duckdb.DuckDBPyConnection) -> None:
    """Raises `ArchiveError` unless `events` has the columns and types of `hot_events`."""
    if layout_of(connection, "events") != layout_of(connection, "hot_events"):
        raise ArchiveError(
            "archived events have columns or types that hot_events does not have: a migration may"
            " only add columns to it"
        )


def layout_of(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Hash of the names and types of the columns of `relation`, in order."""
    columns = connection.execute(f"DESCRIBE {relation}").fetchall()
    return sha256(repr([column[:2] for column in columns]).encode()).hexdigest()[:16]
