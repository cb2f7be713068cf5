"""The program of a copy's child process: one file, cloned where the file system can, and synced.

    python -m pipeline.warehouse.snapshots.copy_child SOURCE TARGET PARENT

TARGET exists. Writes the method (`reflink` or `copy`) and the seconds that it took to stdout.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from typing import BinaryIO

from pipeline.process.parent_death import end_with

_FICLONE = 0x40049409  # of linux/fs.h
# A commit of the loader may wait until the file system has written what is not synced yet.
_CHUNK = 16 * 1024 * 1024


def main(source: str, target: str, parent: str) -> int:
    """Copy, and return the exit code. An error is one line on stderr."""
    # A terminal or supervisor may signal the whole group, but the parent decides about its copy.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # No copy may still be writing when the next loader starts.
    end_with(int(parent))
    os.nice(10)
    begun = time.monotonic()
    try:
        method = copy(source, target)
    except OSError as error:
        # Without the temporary name, so that the same error is the same line.
        place = f"{source}: " if error.filename == source else ""
        sys.stderr.write(f"{place}{error.strerror}\n")
        return 1
    sys.stdout.write(f"{method} {time.monotonic() - begun}\n")
    return 0


def copy(source: str, target: str) -> str:
    """Copy and sync. Returns the method. Raises OSError."""
    with open(source, "rb") as old, open(target, "r+b") as new:  # noqa: PTH123  # starts faster
        is_cloned = _clone(old, new)
        if not is_cloned:
            _copy(old, new)
        os.fsync(new)
    return "reflink" if is_cloned else "copy"


def _clone(old: BinaryIO, new: BinaryIO) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(new, _FICLONE, old.fileno())
    except OSError:  # for whatever reason: a plain copy works everywhere, or says why not
        return False
    return True


def _copy(old: BinaryIO, new: BinaryIO) -> None:
    while chunk := old.read(_CHUNK):
        new.write(chunk)
        new.flush()
        os.fsync(new)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
