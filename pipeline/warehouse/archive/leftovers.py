"""Removes files of the archive that no one names: of merges, and of killed processes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from pipeline.warehouse.archive.freezing import set_mode
from pipeline.warehouse.cause import cause
from pipeline.warehouse.database import attached
from pipeline.warehouse.manifest import archive_files, own_folder

log = logging.getLogger(__name__)


class Leftovers:
    """Files below `folder` that `connection` no longer names, but a snapshot may.

    A merged file stays until no snapshot names it: neither `snapshot`, nor an earlier one beside
    it, nor one that is just being copied.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, snapshot: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._snapshot = snapshot
        self._waiting: dict[str, int] = {}

    def find(self, *, mode: int) -> None:
        """At the start: wait for all unnamed files, and give the others the mode `mode`.

        Only this database's own: another one's, which was moved away, stay untouched.
        """
        own = self._folder / own_folder(self._connection)
        named = {self._folder / file.name for file in archive_files(self._connection)}
        for path in (self._folder, own, *own.rglob("*")) if own.exists() else ():
            if path.is_dir() or path in named:
                set_mode(path, mode)
            else:
                self._waiting[str(path.relative_to(self._folder))] = 0

    def add(self, names: Iterable[str]) -> None:
        """Files that the last change of `archive_files` no longer names."""
        self._waiting |= dict.fromkeys(names, self._changes(self._connection))

    def remove(self) -> bool:
        """Remove those that no snapshot names any more; whether none is left."""
        if not self._waiting:
            return True
        try:
            newest, named = self._named()
        except duckdb.Error as error:
            reason = cause(error)
            log.warning("old files of the archive stay: a snapshot cannot be read (%s)", reason)
            return False
        for name, change in list(self._waiting.items()):
            # A copy that is being made is at least as new as the newest snapshot.
            if change <= newest and name not in named:
                path = self._folder / name
                path.unlink(missing_ok=True)
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
                del self._waiting[name]
        return not self._waiting

    def _named(self) -> tuple[int, set[str]]:
        """How many changes the newest snapshot holds, and the files that any of them names."""
        named: set[str] = set()
        newest = 0
        for snapshot in self._snapshots():
            with attached(snapshot) as connection:
                try:
                    named |= {file.name for file in archive_files(connection)}
                    newest = max(newest, self._changes(connection))
                except duckdb.CatalogException:
                    continue  # of a version without an archive
        return newest, named

    def _snapshots(self) -> Iterator[Path]:
        yield from (path for path in (self._snapshot,) if path.exists())
        earlier = self._snapshot.parent.glob(f"{self._snapshot.name}.*")
        yield from (path for path in earlier if path.suffix[1:].isdigit())

    @staticmethod
    def _changes(connection: duckdb.DuckDBPyConnection) -> int:
        ((changes,),) = connection.execute("SELECT changes FROM archive_folder").fetchall()
        return int(changes)
