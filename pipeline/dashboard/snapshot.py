"""The published file, as the page sees it: opened again whenever another one took its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import duckdb

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was read, from which version, and when that was published."""

    version: str
    published: datetime
    value: T


class NotPublishedError(Exception):
    """There is nothing to read; one line that says why."""


class Snapshot:
    """Reads of one file, one at a time, each wholly from one snapshot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: str | None = None
        self._lock = Lock()
        self._connection = duckdb.connect(
            config={"autoinstall_known_extensions": False, "threads": 2}
        )

    def version(self) -> str:
        """Names the file that is there now: another one, another name. Empty without a file."""
        return self._look()[0]

    def read(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> Found[T]:
        """What `question` finds. Raises `NotPublishedError` without a file that can be read."""
        with self._lock:
            # Asked before the file is opened: one that comes in between is opened once more.
            version, published = self._look()
            if version != self._opened:
                self._open(version)
            return Found(version, published, question(self._connection))

    def _look(self) -> tuple[str, datetime]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return "", datetime.fromtimestamp(0, UTC)
        version = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return version, datetime.fromtimestamp(found.st_mtime, UTC)

    def _open(self, version: str) -> None:
        # DETACH, for ATTACH OR REPLACE of the same path goes on reading the file it has open.
        self._connection.execute("USE memory")
        self._connection.execute("DETACH DATABASE IF EXISTS snapshot")
        self._opened = None
        if not version:
            raise NotPublishedError("Nothing is published yet.")
        path = str(self.path).replace("'", "''")
        try:
            self._connection.execute(f"ATTACH '{path}' AS snapshot (READ_ONLY)")
        except duckdb.IOException as error:
            reason = str(error).splitlines()[0]
            raise NotPublishedError(f"The snapshot cannot be read: {reason}") from None
        self._connection.execute("USE snapshot")
        self._opened = version
