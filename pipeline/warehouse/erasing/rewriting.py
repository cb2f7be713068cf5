"""Archived files without what is erased, in the place of those that hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.warehouse.archive.freezing import Freezer
from pipeline.warehouse.manifest import (
    ArchiveFile,
    archive_folder,
    define_events,
)
from pipeline.warehouse.sql import quoted

Device = tuple[str, str]
"""Store and device key."""


@dataclass(slots=True)
class Rewriting:
    """Files that hold what is erased, and what takes their place.

    Writing changes nothing. Naming is part of the caller's transaction.
    """

    folder: Path
    gone: list[ArchiveFile] = field(default_factory=list)
    written: list[ArchiveFile] = field(default_factory=list)

    @property
    def rows(self) -> str | None:
        """The files that go, as a relation; None without any."""
        if not self.gone:
            return None
        names = ", ".join(quoted(self.folder / file.name) for file in self.gone)
        return f"read_parquet([{names}], hive_partitioning = false, union_by_name = true)"

    def name(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Name what was written, in the place of what goes."""
        if not self.gone:
            return
        connection.execute(
            "DELETE FROM archive_files WHERE name IN (SELECT unnest(?))",
            [[file.name for file in self.gone]],
        )
        for file in self.written:
            connection.execute(
                "INSERT INTO archive_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", file.row()
            )
        connection.execute("UPDATE archive_folder SET changes = changes + 1")
        define_events(connection, self.folder)

    def discard(self) -> None:
        """Delete what was written, for it will not be named."""
        for file in self.written:
            (self.folder / file.name).unlink(missing_ok=True)


def of_devices(devices: Sequence[Device]) -> str:
    """The condition that an event is one of theirs."""
    pairs = ", ".join(f"({_text(store)}, {_text(device)})" for store, device in devices)
    return f"(store_id, device_key) IN ({pairs})"


def rewritten(
    connection: duckdb.DuckDBPyConnection,
    live: Path,
    files: Sequence[ArchiveFile],
    condition: str,
    *,
    mode: int,
) -> Rewriting:
    """Write each of the named `files` that holds an event of `condition` again, without these.

    `connection` is beside the one whose transaction names the files. Raises OSError, duckdb.Error
    and `ArchiveError`, and then leaves no file.
    """
    folder = archive_folder(live)
    found = Rewriting(folder)
    freezer = Freezer(folder, mode=mode)
    try:
        for file in files:
            rows = f"FROM read_parquet({quoted(folder / file.name)}) WHERE {condition}"
            ((holds,),) = connection.execute(f"SELECT EXISTS ({rows})").fetchall()
            if holds:
                written = freezer.without(connection, file, condition)
                found.gone.append(file)
                found.written += [written.file] if written else []
    except BaseException:
        found.discard()
        raise
    return found


def _text(value: str) -> str:
    return "'{}'".format(value.replace("'", "''"))
