"""Files that are made beside the live database and take its place, or go, once they are whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SUFFIX = ".rebuilt"


@contextmanager
def beside(live: Path) -> Iterator[Path]:
    """A path for a database that becomes `live`; whatever is left there is deleted afterwards."""
    delete_leftovers(live)
    fresh = live.with_name(f"{live.name}.{os.getpid()}{_SUFFIX}")
    try:
        yield fresh
    finally:
        for path in fresh.parent.glob(f"{fresh.name}*"):
            _delete(path)


def delete_leftovers(live: Path) -> None:
    """Delete what a killed process left beside `live`. Files of living ones stay."""
    named = re.compile(rf"{re.escape(live.name)}\.(\d+){re.escape(_SUFFIX)}")
    for path in live.parent.glob(f"{live.name}.*{_SUFFIX}*"):
        made = named.match(path.name)
        # In a container our own number may have been that of the killed one.
        if made and (int(made[1]) == os.getpid() or not _is_alive(int(made[1]))):
            _delete(path)


def sync(path: Path) -> None:
    """Wait until the disk holds the file or the folder `path`. Raises OSError."""
    # In a child: closing a descriptor of a database in this process would drop DuckDB's lock on it.
    text = "import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))"
    done = subprocess.run(
        [sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OSError(f"{path} could not be synced: {done.stderr.strip().splitlines()[-1]}")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
