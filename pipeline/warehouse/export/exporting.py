"""Exports a snapshot's tables as Parquet files by day, and of later snapshots the changed days.

A file is written under another name, synced, then named; the list is replaced last. So a killed
export leaves the former list, whose files stay for one more export: readers may have them open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipeline.warehouse.database import DatabaseError, attached, define
from pipeline.warehouse.export.contents import Export, ExportedFile, Format
from pipeline.warehouse.export.delta import write_delta
from pipeline.warehouse.export.parquet import delete_unnamed, write_parquet
from pipeline.warehouse.export.selection import Days, Selection, Table
from pipeline.warehouse.folder_lock import locked
from pipeline.warehouse.limits import lock
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.rebuild.rebuild import Progress
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.held_snapshot import HeldSnapshot, held

Files = dict[date | None, list[ExportedFile]]
Writer = Callable[[duckdb.DuckDBPyConnection, Table, Days, Path], Files]
WRITERS: dict[Format, Writer] = {"parquet": write_parquet, "delta": write_delta}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: how many days of tables, of how many, and their rows."""

    days: int = 0
    compared: int = 0
    rows: int = 0


def export(
    snapshot: Path,
    folder: Path,
    selection: Selection,
    *,
    format: Format = "parquet",  # noqa: A002  # the word of its list
    resources: Resources | None = None,
    progress: Progress,
) -> Exported:
    """Write to `folder` the selected days of `snapshot` that have changed since its last export.

    Raises `DatabaseError` and OSError, and then leaves the former export.
    """
    with locked(folder):
        former = Export.read(folder) or Export(format, {})
        if former.format != format:
            raise DatabaseError(f"{folder} holds an export as {former.format}: use another folder")
        while True:
            with held(snapshot) as one:
                try:
                    done, fresh = _export(
                        one,
                        folder,
                        selection,
                        former,
                        resources=resources or Resources(),
                        progress=progress,
                    )
                    break
                except FileNotFoundError as error:
                    # A merge may have removed it, once a newer snapshot did not name it any more.
                    if not one.is_replaced():
                        raise DatabaseError(str(error)) from None
        fresh.write(folder)
        if format == "parquet":
            delete_unnamed(folder, former, fresh)
    return done


def _export(
    snapshot: HeldSnapshot,
    folder: Path,
    selection: Selection,
    former: Export,
    *,
    resources: Resources,
    progress: Progress,
) -> tuple[Exported, Export]:
    done, tables, texts = Exported(), dict(former.tables), selection.texts()
    with _opened(snapshot.path, folder, resources) as connection:
        for number, (name, text) in enumerate(texts.items()):
            progress(name, number, len(texts))
            table, listed = Table.of(connection, name, text, selection), tables.get(name, [])
            changed = table.changed(listed, selection)
            files = WRITERS[former.format](connection, table, changed, folder) if changed else {}
            tables[name] = table.listed(listed, files, selection, snapshot.published_at)
            done = Exported(
                done.days + len(changed),
                done.compared + len(table.days),
                done.rows + sum(table.days[day][0] for day in changed if day in table.days),
            )
    return done, Export(former.format, tables)


@contextmanager
def _opened(
    snapshot: Path, folder: Path, resources: Resources
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads `snapshot` and its archive, and writes to `folder` alone.

    Raises FileNotFoundError when a query failed and a file of the archive is not there.
    """
    archive = archive_folder(snapshot)
    with attached(snapshot, threads=resources.threads) as connection:
        named = [archive / file.name for file in archive_files(connection)]
        try:
            connection.execute("SET TimeZone = 'UTC'")
            define(connection)
            lock(connection, archive, folder.resolve(), memory=resources.memory)
            yield connection
        except duckdb.IOException:
            for path in named:
                if not path.exists():
                    message = f"archived events are missing: {path}: restore it"
                    raise FileNotFoundError(message) from None
            raise
