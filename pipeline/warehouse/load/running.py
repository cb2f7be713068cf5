"""What a running loader tells of itself: `loader.lock` in the home.

A lock, because a process id means nothing in another container; and no time of a file, because a
home may come from a machine whose clock is ahead.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_NAME = "loader.lock"


@dataclass(frozen=True)
class Told:
    """What the loader that runs has told."""

    has_published: bool
    complete_until: datetime | None
    """When it last saw that its snapshot lacks nothing of what Kafka has; None: not yet."""


class Running:
    """Held by the loader that has the live database of `home` open; it ends with the process."""

    def __init__(self, home: Path) -> None:
        # Emptied before it is locked: what the last loader wrote never counts for this one.
        self._file = (home / _NAME).open("wb", buffering=0)
        self._has_published, self._complete_until = False, 0.0
        self._tell()
        # It waits for no loader, of which there is one, but for a moment's `told`.
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def published(self) -> None:
        """The snapshot is one of this loader, from now on."""
        self._has_published = True
        self._tell()

    def complete(self, until: float) -> None:
        """The snapshot has all that Kafka had at `until`, in epoch seconds."""
        self._complete_until = until
        self._tell()

    def close(self) -> None:
        """Unlock."""
        self._file.close()

    def _tell(self) -> None:
        # In place and always as long, which a full disk allows.
        text = f"{self._has_published:d} {self._complete_until:014.3f}"
        os.pwrite(self._file.fileno(), text.encode(), 0)


def told(home: Path) -> Told | None:
    """What the loader of `home` has told; None when none runs."""
    try:
        with (home / _NAME).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                has_published, _, until = file.read().partition(b" ")
                at = float(until or 0)
                complete_until = datetime.fromtimestamp(at, UTC) if at else None
                return Told(has_published == b"1", complete_until)
    except FileNotFoundError:
        pass
    return None


def missing(home: Path) -> str | None:
    """What a loader of `home` has not done, as text; None when one runs and has published."""
    loader = told(home)
    if loader is None:
        return f"no loader runs with the home {home}"
    return None if loader.has_published else "the loader has not published since it started"
