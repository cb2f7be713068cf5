"""Reads the published snapshot, and reopens it whenever a newer one replaces it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import duckdb

from pipeline.dashboard.reading import VIEWS, run
from pipeline.warehouse.cause import cause
from pipeline.warehouse.database import attached, define
from pipeline.warehouse.limits import lock
from pipeline.warehouse.manifest import archive_folder

T = TypeVar("T")


@dataclass(frozen=True)
class SnapshotRead(Generic[T]):
    """A result, the snapshot it came from, and why a newer snapshot could not be read."""

    version: str
    published: datetime
    value: T
    stale: str | None = None


class NotPublishedError(Exception):
    """No snapshot can be read. The message is one line that says why."""


def unreadable(error: duckdb.Error) -> str:
    """Why a snapshot cannot be read, in one line; the next one may be readable."""
    is_other = isinstance(error, duckdb.CatalogException | duckdb.BinderException)
    what = "was published by another version" if is_other else "cannot be read"
    return f"The snapshot {what}: {cause(error)}"


class BusyError(Exception):
    """Other reads did not end in time. The message is one line."""


class SnapshotReader:
    """Runs one read at a time, each on one snapshot. A read waits for `patience` seconds."""

    def __init__(self, path: Path, *, memory: int | None = None, patience: float = -1) -> None:
        self.path = path
        self._memory = memory
        self._patience = patience
        self._opened: tuple[str, datetime] | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = Lock()

    def version(self) -> str:
        """Identifies the current file; empty without one."""
        return self._look()[0]

    @property
    def is_busy(self) -> bool:
        """Whether a read would wait."""
        return self._lock.locked()

    @property
    def opened(self) -> str:
        """The version that a query reads while it runs."""
        return "" if self._opened is None else self._opened[0]

    def read(self, query: Callable[[duckdb.DuckDBPyConnection], T]) -> SnapshotRead[T]:
        """The result of `query` on the last snapshot that could be opened.

        Raises `NotPublishedError` when none could, or the file is gone, and `BusyError`.
        """
        if not self._lock.acquire(timeout=self._patience):
            raise BusyError(f"Other questions have taken more than {self._patience:g} s.")
        try:
            # Before the file is opened: if it is replaced in between, the next read opens it again.
            seen = self._look()
            stale = self._open(seen) if seen != self._opened else None
            if self._opened is None or self._connection is None:
                raise NotPublishedError(stale or "No snapshot has been published yet.")
            return SnapshotRead(*self._opened, query(self._connection), stale)
        finally:
            self._lock.release()

    def _look(self) -> tuple[str, datetime]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return "", datetime.fromtimestamp(0, UTC)
        version = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return version, datetime.fromtimestamp(found.st_mtime, UTC)

    def _open(self, seen: tuple[str, datetime]) -> str | None:
        """Switch to the current file. If it cannot be read, say why and keep the one before."""
        if not seen[0]:
            self._close()
            return None
        fresh = None
        try:
            fresh = attached(self.path, threads=2)
            define(fresh)
            for view in VIEWS:
                run(fresh, view)
            lock(fresh, archive_folder(self.path), memory=self._memory)
        except duckdb.Error as error:
            if fresh is not None:
                fresh.close()
            return unreadable(error)
        self._close()
        self._connection, self._opened = fresh, seen
        return None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._opened = None
