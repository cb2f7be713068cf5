"""Whether the files of the archive hold the bytes that were written: by their SHA-256.

A start compares sizes and footers, which takes milliseconds. This reads every byte, so it is for
`pipeline check`, and for whatever makes new files or tables of old files: they would hide the
damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from pipeline.warehouse.database import attached, unreadable
from pipeline.warehouse.manifest import (
    ArchiveError,
    ArchiveFile,
    absent,
    archive_files,
    archive_folder,
)


def damaged(files: Iterable[ArchiveFile], folder: Path) -> Iterator[str]:
    """What is wrong with each file that is not as it was written, as text that names it."""
    for file in files:
        if missing := absent([file], folder):
            yield missing
            continue
        path = folder / file.name
        try:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            yield f"archived events are damaged: {path} ({error.strerror}): restore it"
            continue
        if found != file.sha256:
            yield (
                f"archived events are damaged: {path} has the SHA-256 {found} instead of"
                f" {file.sha256}: restore it"
            )


def refuse_damaged(files: Iterable[ArchiveFile], folder: Path) -> None:
    """Raises `ArchiveError` for the first of `files` that is not as it was written."""
    for problem in damaged(files, folder):
        raise ArchiveError(problem)


def damaged_of(database: Path) -> list[str]:
    """`damaged` for all files that a published or closed `database` names.

    Needs none of them to open it. None for one of a version without an archive. Raises
    `DatabaseError` when the database cannot be read.
    """
    while True:
        before = database.stat().st_ino
        found = list(damaged(_files_of(database), archive_folder(database)))
        # Of a snapshot that was replaced meanwhile, files may have gone that it alone named.
        if not found or database.stat().st_ino == before:
            return found


def _files_of(database: Path) -> list[ArchiveFile]:
    try:
        with attached(database) as connection:
            return archive_files(connection)
    except duckdb.CatalogException:
        return []
    except duckdb.Error as error:
        raise unreadable(database, error) from None
