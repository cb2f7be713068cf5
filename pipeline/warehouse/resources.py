"""What DuckDB may take of the machine in a process that writes a database."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.config import MEBIBYTE, Settings
from pipeline.process.memory import quarter_of_memory
from pipeline.warehouse.sql import quoted

_LEAST = 512 * MEBIBYTE


def default_memory() -> int:
    """Bytes: a quarter of the machine's memory, or of the container's; at least 512 MiB."""
    return max(_LEAST, quarter_of_memory())


@dataclass(frozen=True, slots=True)
class Resources:
    """Bytes of memory, threads, and the folder for what does not fit; None: beside the database."""

    memory: int = field(default_factory=default_memory)
    # A transaction's statements are small: a second thread costs them a fifth more CPU time.
    threads: int = 1
    folder: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Resources:
        """Those of the loader, and of whatever else writes to a warehouse."""
        return cls(
            settings.load_memory_bytes or default_memory(),
            settings.load_threads,
            settings.temp_directory or settings.home / "tmp",
        )

    def prepare(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Give the database at `path`, which `connection` has locked, a folder without leftovers.

        It is private, and no other database's, so that none deletes the files of another.
        """
        if self.folder is None:
            return
        folder = self.folder / f"{path.stem}-{zlib.crc32(bytes(path.resolve())):08x}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in folder.iterdir():
            leftover.unlink()  # of a killed process
        connection.execute(f"SET temp_directory = {quoted(folder)}")
