"""Takes backups while everything runs: a snapshot, the archived files that it names, other files.

A backup becomes one when its folder gets its name. Until then it is in `unfinished`, where the next
one finds what is whole already. Archived files never change, so backups share them as hard links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from pipeline.warehouse.archive.freezing import make_folders, set_mode
from pipeline.warehouse.backup.contents import (
    SNAPSHOT,
    Backup,
    BackupError,
    BackupFile,
    copy,
    newest_backup,
)
from pipeline.warehouse.database import attached
from pipeline.warehouse.folder_lock import locked
from pipeline.warehouse.manifest import FOLDER, archive_files, archive_folder
from pipeline.warehouse.rebuild.rebuild import Progress
from pipeline.warehouse.snapshots.held_snapshot import HeldSnapshot, held
from pipeline.warehouse.snapshots.snapshot_files import sync_folder

_MODE = 0o400
_UNFINISHED = "unfinished"


def back_up(
    snapshot: Path,
    folder: Path,
    *,
    others: Mapping[str, Path],
    settings: Mapping[str, str],
    at: datetime,
    progress: Progress,
) -> Path:
    """Add a backup of the published `snapshot` to `folder`, taken `at` (UTC). Returns its folder.

    `others` are further files by their names in the backup; one that does not exist is left out.
    A kill leaves the backups that there were. Raises `DatabaseError` and OSError.
    """
    with locked(folder):
        unfinished = folder / _UNFINISHED
        unfinished.mkdir(mode=0o700, exist_ok=True)
        files = [
            *_consistent(snapshot, unfinished, newest_backup(folder), progress),
            *_others(others, unfinished),
        ]
        _delete_unnamed(unfinished, {file.name for file in files})
        Backup(at, dict(settings), files).write(unfinished)
        for path in unfinished.rglob("*"):
            set_mode(path, _MODE)
            if path.is_dir():
                sync_folder(path)
        sync_folder(unfinished)
        named = folder / f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z"
        unfinished.rename(named)
        sync_folder(folder)
    return named


def _consistent(
    snapshot: Path, unfinished: Path, former: Path | None, progress: Progress
) -> list[BackupFile]:
    """Copies of one snapshot and of all the archived files that it names."""
    while True:
        with held(snapshot) as one:
            try:
                return _copies(one, unfinished, former, progress)
            except FileNotFoundError as error:
                # A merge may have removed it, once a newer snapshot did not name it any more.
                if not one.is_replaced():
                    raise BackupError(
                        f"archived events are missing: {error.filename}: restore it"
                    ) from None


def _copies(
    snapshot: HeldSnapshot, unfinished: Path, former: Path | None, progress: Progress
) -> list[BackupFile]:
    """Raises FileNotFoundError when an archived file is not there."""
    progress(f"copying {SNAPSHOT}", 0, 1)
    files = [copy(snapshot.file, unfinished / SNAPSHOT)]
    with attached(unfinished / SNAPSHOT) as connection:
        named = archive_files(connection)
    known = {file.name: file for file in Backup.read(former).files} if former else {}
    for done, archived in enumerate(named, 1):
        progress("copying archive", done, len(named) + 1)
        kept = BackupFile(f"{FOLDER}/{archived.name}", archived.bytes, archived.sha256)
        target = unfinished / kept.name
        make_folders(target.parent, _MODE)
        if former is None or known.get(kept.name) != kept or not _linked(former, kept, target):
            _copy_archived(archive_folder(snapshot.path) / archived.name, kept, target)
        files.append(kept)
    return files


def _linked(former: Path, kept: BackupFile, target: Path) -> bool:
    """Whether `target` is a link to the same file of the backup `former`."""
    source = former / kept.name
    if not _has_size(source, kept.bytes):
        return False
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # no hard links on this file system: it is copied
        return False
    return True


def _copy_archived(source: Path, kept: BackupFile, target: Path) -> None:
    if not _has_size(target, kept.bytes):
        with source.open("rb") as file:
            copy(file, target, sha256=kept.sha256)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _others(paths: Mapping[str, Path], unfinished: Path) -> Iterator[BackupFile]:
    for name, path in paths.items():
        if path.exists():
            target = unfinished / name
            make_folders(target.parent, _MODE)
            with path.open("rb") as file:
                yield msgspec.structs.replace(copy(file, target), name=name)


def _delete_unnamed(unfinished: Path, names: set[str]) -> None:
    """Delete what a killed backup copied that this one does not name."""
    for path in sorted(unfinished.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif str(path.relative_to(unfinished)) not in names:
            path.unlink()
