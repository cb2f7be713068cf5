"""What a backup holds: the list in its folder, which is written last, and copies of files."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from pipeline.config import Settings
from pipeline.file_errors import naming
from pipeline.warehouse.catalog.store_file import catalog_files
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.erasing.erasures import key_file

SNAPSHOT = "analytics.duckdb"
_LIST = "backup.json"
_CHUNK = 16 * 1024 * 1024


class BackupError(DatabaseError):
    """A backup cannot be taken or restored. The message is one line that says what to do."""


class BackupFile(msgspec.Struct, frozen=True):
    """A file of a backup; `name` is relative to its folder, and to the home that it is of."""

    name: str
    bytes: int
    sha256: str


class Backup(msgspec.Struct, frozen=True):
    """The list of a whole backup: when it was taken (UTC), under which settings, and its files.

    `settings` are the variables that were not the default, without passwords.
    """

    taken_at: datetime
    settings: dict[str, str]
    files: list[BackupFile]

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.bytes for file in self.files)

    def write(self, folder: Path) -> None:
        """Write the list into `folder`, synced. Raises OSError."""
        path = folder / _LIST
        with naming(path), path.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)))
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> Backup:
        """The list in `folder`. Raises `BackupError` when there is none, or a wrong one."""
        path = folder / _LIST
        try:
            backup = msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            raise BackupError(f"{folder} is no backup, and holds none") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BackupError(f"the backup is damaged: {path} cannot be read ({error})") from None
        for file in backup.files:
            name = PurePosixPath(file.name)
            if name.is_absolute() or ".." in name.parts:
                raise BackupError(f"the backup is damaged: {path} names {file.name!r}")
        return backup


def other_files(settings: Settings) -> dict[str, Path]:
    """Where the files are that a home needs besides snapshot and archive, by name in a backup."""
    secret = key_file(settings.live_database)
    return {
        "stores.toml": settings.stores,
        secret.name: secret,
        **catalog_files(settings.live_database),
    }


def backups(folder: Path) -> list[Path]:
    """The folders of the whole backups in `folder`, from the oldest on."""
    return sorted(path.parent for path in folder.glob(f"*Z/{_LIST}"))


def newest_backup(folder: Path) -> Path | None:
    """The folder of the newest whole backup in `folder`; None when there is none."""
    return next(reversed(backups(folder)), None)


def copy(source: BinaryIO, target: Path, *, sha256: str | None = None) -> BackupFile:
    """Copy an open file, synced before it has the name `target`. The name returned is `target`'s.

    Raises `BackupError` when the content has another digest than `sha256`, and OSError.
    """
    fresh = target.with_name(f"{target.name}.new")
    digest, size = hashlib.sha256(), 0
    try:
        with naming(fresh), fresh.open("wb") as new:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                new.write(chunk)
                size += len(chunk)
            new.flush()
            os.fsync(new.fileno())
        if sha256 not in (None, digest.hexdigest()):
            raise BackupError(f"{source.name} is damaged: its SHA-256 is no longer {sha256}")
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return BackupFile(target.name, size, digest.hexdigest())
