"""The newest backup of a home, in a file of the home: `backup.json`, for `pipeline status`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from pipeline.warehouse.database import DatabaseError

_NAME = "backup.json"


class LastBackup(msgspec.Struct, frozen=True):
    """When it was taken (UTC), in which folder it is, and how many files and bytes it has."""

    taken_at: datetime
    folder: str
    files: int
    bytes: int

    def record(self, home: Path) -> None:
        """Write the file. Raises OSError."""
        fresh = home / f"{_NAME}.new"
        fresh.write_bytes(msgspec.json.encode(self))
        fresh.replace(home / _NAME)

    @classmethod
    def recorded(cls, home: Path) -> LastBackup | None:
        """That of `home`; None when none was ever taken. Raises `DatabaseError`."""
        path = home / _NAME
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{path} cannot be read ({error}): delete it") from None
