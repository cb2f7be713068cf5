"""A warehouse whose events move into the archive when a test says so."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.domain.rules import Rules
from pipeline.warehouse.archive.freezing import Freezer, Span
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import ArchiveFile, archive_files, archive_folder

# The day of `factories.MORNING`.
FIRST = date(2025, 11, 24)


def day(number: int) -> Span:
    """The day so many days after the morning's."""
    return Span(FIRST + timedelta(days=number), FIRST + timedelta(days=number))


def freeze(connection: duckdb.DuckDBPyConnection, folder: Path, span: Span) -> ArchiveFile:
    """Move the rows of `span` into a file."""
    freezer = Freezer(folder)
    written = freezer.freeze(connection, span)
    assert written is not None
    assert freezer.name(connection, written)
    return written.file


def merge(connection: duckdb.DuckDBPyConnection, folder: Path, span: Span) -> ArchiveFile:
    """Make the files of `span` one."""
    freezer = Freezer(folder)
    written = freezer.merge(connection, span)
    assert written is not None
    assert freezer.name(connection, written)
    return written.file


def archive_days(database: Path, rules: Rules, *, but: int = 1) -> list[ArchiveFile]:
    """Archive the events of a closed live database, but for the last days: a file for each day.

    The first two become one.
    """
    with connect_live(database, rules) as connection:
        found = connection.execute("SELECT DISTINCT day FROM hot_events ORDER BY day").fetchall()
        days = [Span(each, each) for (each,) in found[:-but]]
        for span in days:
            freeze(connection, archive_folder(database), span)
        merge(connection, archive_folder(database), Span(days[0].first, days[1].last))
        return archive_files(connection)


def flip(file: Path) -> None:
    """Change a byte in the middle, where no size and no footer shows it."""
    file.chmod(0o600)
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 3] ^= 1
    file.write_bytes(whole)


def contents(connection: duckdb.DuckDBPyConnection, relation: str = "events") -> list[Any]:
    """Every row and column, in order."""
    return connection.execute(f"FROM {relation} ORDER BY ALL").fetchall()
