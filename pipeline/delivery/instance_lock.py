"""The lock by which one ingest process owns one spool file; it ends with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.process.umask import close_folder

# More ingest processes than this on one home are a mistake.
INSTANCES = range(256)


class SpoolError(Exception):
    """The spool cannot be written or read now: it is full, or the disk failed."""


class LockedError(SpoolError):
    """Living processes hold the locks."""


@dataclass(frozen=True)
class InstanceLock:
    """A held lock, and the path of the spool file it stands for, which may not exist yet."""

    path: Path
    _descriptor: int

    @classmethod
    def acquire(cls, folder: Path, instances: Iterable[int] = INSTANCES) -> Self:
        """Lock the first free one of `instances`. Raises `LockedError`, `OSError`."""
        close_folder(folder)
        for number in instances:
            # O_CLOEXEC is Python's default: no child keeps the lock after this process.
            descriptor = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return cls(folder / f"{number}.db", descriptor)
        raise LockedError(f"other processes hold every spool in {folder}")

    def release(self) -> None:
        """Unlock; another process may then take over the file."""
        os.close(self._descriptor)


def spool_files(folder: Path) -> dict[int, Path]:
    """The spool files in `folder` by instance, locked or not."""
    files = {int(path.stem): path for path in folder.glob("*.db") if path.stem.isdigit()}
    return dict(sorted(files.items()))
