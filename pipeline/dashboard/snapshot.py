"""The published file, as the page sees it: opened again whenever another one took its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import duckdb

from pipeline.warehouse.database import attached
from pipeline.warehouse.limits import lock

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was read, from which version, when that was published, and why not from a later one."""

    version: str
    published: datetime
    value: T
    stale: str | None = None


class NotPublishedError(Exception):
    """There is nothing to read; one line that says why."""


class Snapshot:
    """Reads of one file, one at a time, each wholly from one snapshot."""

    def __init__(self, path: Path, *, memory: int | None = None) -> None:
        self.path = path
        self._memory = memory
        self._opened: tuple[str, datetime] | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = Lock()

    def version(self) -> str:
        """Names the file that is there now: another one, another name. Empty without a file."""
        return self._look()[0]

    def read(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> Found[T]:
        """What `question` finds, in the last snapshot that could be opened.

        Raises `NotPublishedError` where none could, or the file is gone.
        """
        with self._lock:
            # Asked before the file is opened: one that comes in between is opened once more.
            seen = self._look()
            stale = self._open(seen) if seen != self._opened else None
            if self._opened is None or self._connection is None:
                raise NotPublishedError(stale or "Nothing is published yet.")
            return Found(*self._opened, question(self._connection), stale)

    def _look(self) -> tuple[str, datetime]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return "", datetime.fromtimestamp(0, UTC)
        version = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return version, datetime.fromtimestamp(found.st_mtime, UTC)

    def _open(self, seen: tuple[str, datetime]) -> str | None:
        """Read that one from now on; why it cannot be read, with the one before still open."""
        if not seen[0]:
            self._close()
            return None
        try:
            fresh = attached(self.path, threads=2)
            lock(fresh, memory=self._memory)
        except duckdb.Error as error:
            return f"The snapshot cannot be read: {str(error).splitlines()[0]}"
        self._close()
        self._connection, self._opened = fresh, seen
        return None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened = None
