"""Compares the files of backups with their SHA-256, before one of them is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.warehouse.backup.contents import Backup, BackupError, BackupFile, backups
from pipeline.warehouse.rebuild.rebuild import Progress


def damaged(folder: Path, progress: Progress) -> list[str]:
    """What is wrong with the backups in `folder`, a line each. What they share is read once.

    Raises `BackupError` when it holds none.
    """
    found = backups(folder)
    if not found:
        raise BackupError(f"{folder} holds no backup")
    digests: dict[int, str] = {}
    lines: list[str] = []
    for done, backup in enumerate(found):
        progress(f"comparing {backup.name}", done, len(found))
        lines += _damaged_of(backup, digests)
    return lines


def _damaged_of(folder: Path, digests: dict[int, str]) -> Iterator[str]:
    try:
        listed = Backup.read(folder).files
    except BackupError as error:
        yield str(error)
        return
    for file in listed:
        try:
            found = _digest(folder, file, digests)
        except OSError as error:
            yield f"{folder / file.name} cannot be read: {error.strerror}"
        else:
            if found != file.sha256:
                yield f"{folder / file.name} is damaged: its SHA-256 is no longer {file.sha256}"


def _digest(folder: Path, file: BackupFile, digests: dict[int, str]) -> str:
    """Of one inode once."""
    with (folder / file.name).open("rb") as held:
        inode = (folder / file.name).stat().st_ino
        if inode not in digests:
            digests[inode] = hashlib.file_digest(held, "sha256").hexdigest()
        return digests[inode]
