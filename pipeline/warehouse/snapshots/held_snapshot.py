"""A published snapshot that a process works on while newer ones may replace it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.warehouse.database import NoSnapshotError


@dataclass(frozen=True, slots=True)
class HeldSnapshot:
    """The snapshot at `path`, and `file`, which holds it open: no newer one can have its inode."""

    path: Path
    file: BinaryIO

    def is_replaced(self) -> bool:
        """Whether a newer one is published: then files that this one names may be gone."""
        return self.path.stat().st_ino != os.fstat(self.file.fileno()).st_ino

    @property
    def published_at(self) -> datetime:
        """When it was published, in UTC."""
        return datetime.fromtimestamp(os.fstat(self.file.fileno()).st_mtime, UTC)


@contextmanager
def held(path: Path) -> Iterator[HeldSnapshot]:
    """The snapshot that is published now. Raises `NoSnapshotError` when there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NoSnapshotError(
            f"no snapshot at {path} yet: start `pipeline up`, or wait until it publishes one"
        ) from None
    with file:
        yield HeldSnapshot(path, file)
