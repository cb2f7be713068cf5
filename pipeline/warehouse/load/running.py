"""Whether a loader runs, and has published: `loader.lock` in the home, for `status --wait`.

A lock, because a process id means nothing in another container; and no time of a file, because a
home may come from a machine whose clock is ahead.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_NAME = "loader.lock"
_NOT_YET, _PUBLISHED = b"0", b"1"


class Running:
    """Held by the loader that has the live database of `home` open; it ends with the process."""

    def __init__(self, home: Path) -> None:
        # Emptied before it is locked: what the last loader wrote never counts for this one.
        self._file = (home / _NAME).open("wb", buffering=0)
        self._file.write(_NOT_YET)
        # It waits for no loader, of which there is one, but for a moment's `missing`.
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def published(self) -> None:
        """The snapshot is one of this loader, from now on."""
        os.pwrite(self._file.fileno(), _PUBLISHED, 0)  # in place, which a full disk allows

    def close(self) -> None:
        """Unlock."""
        self._file.close()


def missing(home: Path) -> str | None:
    """What a loader of `home` has not done, as text; None when one runs and has published."""
    try:
        with (home / _NAME).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                has_published = file.read() == _PUBLISHED
                return None if has_published else "the loader has not published since it started"
    except FileNotFoundError:
        pass
    return f"no loader runs with the home {home}"
