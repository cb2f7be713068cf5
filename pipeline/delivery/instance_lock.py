"""Whose a spool's file is: a process owns a slot of the folder by a lock that ends with it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.umask import close_folder

# More ingest processes than this on one home are a mistake.
SLOTS = range(256)


class SpoolError(Exception):
    """The spool cannot take or give it now: full, or the disk's own words."""


class OwnedError(SpoolError):
    """Other processes, that live, have the slots."""


@dataclass(frozen=True)
class InstanceLock:
    """A slot that is owned: the spool's file at `path`, whether it is there yet or not."""

    path: Path
    _lock: int

    @classmethod
    def take(cls, folder: Path, numbers: Iterable[int] = SLOTS) -> Self:
        """The first free one of `numbers`. Raises `OwnedError`, `OSError`."""
        close_folder(folder)
        for number in numbers:
            # O_CLOEXEC is Python's default: no child keeps the slot after this process.
            lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return cls(folder / f"{number}.db", lock)
        raise OwnedError(f"no free slot in {folder}")

    def release(self) -> None:
        """Let it go, for another process to take with what is in it."""
        os.close(self._lock)


def used(folder: Path) -> dict[int, Path]:
    """The files of slots, by number; whether they are owned their locks tell."""
    files = {int(path.stem): path for path in folder.glob("*.db") if path.stem.isdigit()}
    return dict(sorted(files.items()))
