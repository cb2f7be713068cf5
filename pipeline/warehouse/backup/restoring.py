"""Restores a backup into an empty home, from which the loader then goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.warehouse.archive.freezing import make_folders, set_mode
from pipeline.warehouse.backup.contents import (
    SNAPSHOT,
    Backup,
    BackupError,
    BackupFile,
    copy,
    newest_backup,
)
from pipeline.warehouse.manifest import FOLDER
from pipeline.warehouse.rebuild.rebuild import Progress, restore, settled
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher
from pipeline.warehouse.snapshots.reach import Reach, lost
from pipeline.warehouse.snapshots.snapshot_files import sync_folder

# In the home from the first step to the last: what is there is ours, and can be restored again.
_MARK = "restore.unfinished"


def restore_home(
    folder: Path,
    live: Path,
    *,
    others: Mapping[str, Path],
    progress: Progress,
    resources: Resources | None = None,
    mode: int = 0o400,
    last: Callable[[], None] = lambda: None,
) -> tuple[Path, Backup]:
    """Make the home of `live` that of a backup: `folder`, or the newest in it. Returns which.

    `others` are where files go by their names in the backup; one that exists outside the home
    stays. Snapshot and archive get the file mode `mode`. `last` is done before the home is whole.
    The same backup completes what a kill left. Raises `BackupError` when the home is not empty or a
    file is damaged.
    """
    source = newest_backup(folder) or folder
    backup = Backup.read(source)
    home, snapshot = live.parent, live.with_name(SNAPSHOT)
    _claim(home, source)
    for done, file in enumerate(backup.files):
        progress("copying and comparing", done, len(backup.files) + 1)
        target = others.get(file.name, home / file.name)
        if target.is_relative_to(home) or not target.exists():
            is_public = file.name.startswith(f"{FOLDER}/")
            _restore_file(source, file, target, mode if is_public else 0o600)
    progress("opening", len(backup.files), len(backup.files) + 1)
    _make_live(snapshot, live)
    # The snapshot names the archive by its path in the home that it was taken from.
    with settled(live, resources) as connection:
        try:
            SnapshotPublisher(connection, live, snapshot, mode=mode).publish()
        except PublishError as error:
            raise BackupError(str(error)) from None
    last()
    (home / _MARK).unlink()
    sync_folder(home)
    return source, backup


def _claim(home: Path, source: Path) -> None:
    """Mark an empty home. Raises `BackupError` for one that holds anything else."""
    mark = home / _MARK
    home.mkdir(parents=True, exist_ok=True)
    if mark.exists():
        # Empty: of a process that was killed while it wrote it.
        if mark.read_text() not in ("", source.name):
            raise BackupError(
                f"{home} holds part of the backup {mark.read_text()}: restore that one, or empty"
                " the folder"
            )
    elif any(home.iterdir()):
        raise BackupError(f"{home} is not empty: restore into a new folder (PIPELINE_HOME)")
    mark.write_text(source.name)
    sync_folder(home)


def _restore_file(source: Path, file: BackupFile, target: Path, mode: int) -> None:
    make_folders(target.parent, mode)
    try:
        with (source / file.name).open("rb") as held:
            if not _is_there(file, target):
                copy(held, target, sha256=file.sha256)
    except FileNotFoundError:
        raise BackupError(f"{source / file.name} is missing: restore another backup") from None
    set_mode(target, mode)


def _is_there(file: BackupFile, target: Path) -> bool:
    """Whether a restore that was killed had copied it."""
    if not target.exists():
        return False
    with target.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest() == file.sha256


def _make_live(snapshot: Path, live: Path) -> None:
    if not live.exists():
        restore(snapshot, live)
        return
    if missing := lost(Reach.of_file(snapshot), Reach.of_file(live)):
        raise BackupError(
            f"{live} was begun before its backup was restored, and lacks {missing}: move it away"
            " with its .wal"
        )
    for name in live.parent.glob(f"{live.name}.*.new"):
        name.unlink()  # of the killed one, which had just linked it
