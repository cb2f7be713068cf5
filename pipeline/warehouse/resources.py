"""What DuckDB may take of the machine in a process that writes a database."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.config import MEBIBYTE, Settings

# Of the machine's memory: Kafka, the workers, ingest and readers need the rest.
_SHARE = 4
_LEAST = 512 * MEBIBYTE
_CGROUPS = Path("/sys/fs/cgroup")


def default_memory(cgroups: Path = _CGROUPS) -> int:
    """Bytes: a quarter of the machine's memory, or of the container's; at least 512 MiB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_LEAST, min([machine, *_limits(cgroups)]) // _SHARE)


def _limits(cgroups: Path) -> Iterator[int]:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # versions 2 and 1
        file = cgroups / name
        if file.exists() and (limit := file.read_text().strip()) != "max":
            yield int(limit)


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
        name = str(folder).replace("'", "''")
        connection.execute(f"SET temp_directory = '{name}'")
