"""The archive for other engines: `archive.json` beside the snapshot names its files."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pipeline.file_errors import naming
from pipeline.warehouse.manifest import ArchiveFile

_NAME = "archive.json"


class ArchiveList(msgspec.Struct, frozen=True):
    """The rows of `archive_files`; names are relative to the folder `archive` beside it."""

    files: list[ArchiveFile]

    def write(self, snapshot: Path, *, mode: int) -> None:
        """Replace the file beside `snapshot`, synced. Raises OSError."""
        path = snapshot.with_name(_NAME)
        fresh = path.with_name(f"{_NAME}.new")
        fresh.unlink(missing_ok=True)  # of a loader that was killed
        with naming(fresh), fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)))
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(mode)
        fresh.replace(path)
