"""One process at a time in a folder that backups or exports are written to."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.warehouse.database import DatabaseError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create `folder`, and lock it for the time of the `with`. Raises `DatabaseError`, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseError(f"another process is writing to {folder}: wait for it") from None
        yield
