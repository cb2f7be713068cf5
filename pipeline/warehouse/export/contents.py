"""What an export holds: `export.json` in its folder, replaced last, names every file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.file_errors import naming
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.snapshots.snapshot_files import sync_folder

_LIST = "export.json"
Format = Literal["parquet", "delta"]


class ExportedFile(msgspec.Struct, frozen=True):
    """A Parquet file; `name` is relative to the folder."""

    name: str
    rows: int
    bytes: int


class ExportedDay(msgspec.Struct, frozen=True):
    """The rows of a table's day: how many, and a hash of columns and rows, equal in any order.

    `as_of` is when the snapshot was published that they were last compared with (UTC). `day` is
    None for a table without days. A Delta table knows its own files.
    """

    day: date | None
    rows: int
    hash: str
    as_of: datetime
    files: list[ExportedFile]


class Export(msgspec.Struct, frozen=True):
    """The list of an export: the days of each table."""

    format: Format
    tables: dict[str, list[ExportedDay]]

    def names(self) -> Iterator[str]:
        """The names of all files."""
        for days in self.tables.values():
            for day in days:
                yield from (file.name for file in day.files)

    @classmethod
    def read(cls, folder: Path) -> Export | None:
        """The list in `folder`; None when there is none. Raises `DatabaseError`."""
        path = folder / _LIST
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{path} cannot be read ({error}): delete it") from None

    def write(self, folder: Path) -> None:
        """Replace the list in `folder`, synced. Raises OSError."""
        fresh = folder / f"{_LIST}.new"
        with naming(fresh), fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / _LIST)
        sync_folder(folder)
