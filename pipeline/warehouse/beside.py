"""Files that are made beside the live database and take its place, or go, once they are whole."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SUFFIX = ".rebuilt"
# Locked for as long as the process that makes the file lives, in whichever container.
_LOCK = ".lock"


@contextmanager
def beside(live: Path) -> Iterator[Path]:
    """A path for a database that becomes `live`; whatever is left there is deleted afterwards."""
    delete_leftovers(live)
    fresh, lock = _locked(live)
    try:
        yield fresh
    finally:
        _delete(fresh)
        os.close(lock)


def delete_leftovers(live: Path) -> None:
    """Delete what a killed process left beside `live`. Files of living ones stay."""
    named = re.compile(rf"{re.escape(live.name)}\.\w+{re.escape(_SUFFIX)}")
    found = list(live.parent.iterdir()) if live.parent.exists() else []
    for name in {made[0] for path in found if (made := named.match(path.name))}:
        fresh = live.with_name(name)
        try:
            lock = os.open(_lock_of(fresh), os.O_RDWR)
        except FileNotFoundError:
            _delete(fresh)  # the lock was there before all else, and is deleted last
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _delete(fresh)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def sync(path: Path) -> None:
    """Wait until the disk holds the file or the folder `path`. Raises OSError."""
    # In a child: closing a descriptor of a database in this process would drop DuckDB's lock on it.
    text = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))"
    done = subprocess.run(
        [sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OSError(f"{path} could not be synced: {done.stderr.strip().splitlines()[-1]}")


def _locked(live: Path) -> tuple[Path, int]:
    while True:
        fresh = live.with_name(f"{live.name}.{secrets.token_hex(4)}{_SUFFIX}")
        lock = os.open(_lock_of(fresh), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken it for a leftover before it was locked.
        if _lock_of(fresh).exists():
            return fresh, lock
        os.close(lock)


def _lock_of(fresh: Path) -> Path:
    return fresh.with_name(f"{fresh.name}{_LOCK}")


def _delete(fresh: Path) -> None:
    """All files whose names begin with that of `fresh`; the lock last."""
    lock = _lock_of(fresh)
    for path in [*(each for each in fresh.parent.glob(f"{fresh.name}*") if each != lock), lock]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
