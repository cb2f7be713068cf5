"""Writes days of a table as Parquet files: `TABLE/day=YYYY-MM-DD/….parquet`."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from uuid import uuid4

import duckdb

from pipeline.warehouse.archive.freezing import make_folders
from pipeline.warehouse.export.contents import Export, ExportedFile
from pipeline.warehouse.export.selection import Days, Table
from pipeline.warehouse.snapshots.snapshot_files import sync_folder
from pipeline.warehouse.sql import quoted

_UNFINISHED = "unfinished"
# Folders are for whoever runs the export; the shell opens them to others.
_MODE = 0o400


def write_parquet(
    connection: duckdb.DuckDBPyConnection, table: Table, days: Days, folder: Path
) -> dict[date | None, list[ExportedFile]]:
    """The files of each of `days`, synced. The rows of a day may be in several.

    A day's rows have the column `day`, too, for engines that do not read it from the path.
    """
    unfinished = folder / _UNFINISHED / table.name
    shutil.rmtree(unfinished, ignore_errors=True)  # of a killed export
    unfinished.mkdir(parents=True)
    target, parts = unfinished / f"{uuid4()}.parquet", ""
    if table.is_dated:
        target = unfinished
        parts = ", PARTITION_BY (day), WRITE_PARTITION_COLUMNS true, FILENAME_PATTERN '{uuid}'"
    written = connection.execute(
        f"COPY ({table.rows_of(days)}) TO {quoted(target.resolve())}"
        f" (FORMAT parquet, COMPRESSION zstd, RETURN_STATS true{parts})"
    ).fetchall()
    files: dict[date | None, list[ExportedFile]] = {day: [] for day in days}
    for name, rows, size, *_ in written:
        file = ExportedFile(_in_place(Path(name), folder), rows, size)
        files[_day_of(Path(name))].append(file)
    for place in {(folder / file.name).parent for named in files.values() for file in named}:
        sync_folder(place)
    return files


def delete_unnamed(folder: Path, *lists: Export) -> None:
    """Delete files of tables that none of `lists` names, and what a killed export left."""
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    named = {name for one in lists for name in one.names()}
    for table in {table for one in lists for table in one.tables}:
        for path in list((folder / table).rglob("*.parquet")):
            if str(path.relative_to(folder)) not in named:
                path.unlink()
                if path.parent.name.startswith("day=") and not any(path.parent.iterdir()):
                    path.parent.rmdir()


def _in_place(path: Path, folder: Path) -> str:
    """Sync a file and move it to its place. Returns its name below `folder`."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    unfinished = (folder / _UNFINISHED).resolve()
    target = folder / path.relative_to(unfinished)
    make_folders(target.parent, _MODE)
    path.rename(target)
    return str(target.relative_to(folder))


def _day_of(path: Path) -> date | None:
    kind, _, day = path.parent.name.partition("=")
    return date.fromisoformat(day) if kind == "day" and day[:1].isdigit() else None
