"""Publishing: the live file, checkpointed and copied aside, then renamed over the snapshot.

Readers hold the old file open or find the new one whole; there is no state between.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb


class PublishError(Exception):
    """The snapshot could not be made; the old one stands. One line that says why."""


def publish(connection: duckdb.DuckDBPyConnection, live: Path, snapshot: Path) -> None:
    """Make `snapshot` the last committed state of `live`, which `connection` has open.

    The caller may not be inside a transaction. Raises `PublishError` with the old one in place.
    """
    try:
        connection.execute("CHECKPOINT")
        # No checkpoint may move blocks under the copy; commits only append to the log beside it.
        connection.execute("SET checkpoint_threshold = '1TB'")
        try:
            _copy(live, snapshot)
        finally:
            connection.execute("SET checkpoint_threshold = '256MB'")
    except (duckdb.IOException, OSError) as error:
        raise PublishError(f"no new snapshot: {str(error).splitlines()[0]}") from None


def _copy(live: Path, snapshot: Path) -> None:
    # In a child process: closing any descriptor of the live file here would drop DuckDB's lock.
    fresh = snapshot.with_suffix(".new")
    copied = subprocess.run(
        [sys.executable, "-S", "-c", _CHILD, str(live), str(fresh)],
        capture_output=True,
        text=True,
        check=False,
    )
    if copied.returncode:
        fresh.unlink(missing_ok=True)
        reason = (copied.stderr.strip().splitlines() or ["copy failed"])[-1]
        raise PublishError(f"no new snapshot at {snapshot}: {reason}")
    fresh.replace(snapshot)
    folder = os.open(snapshot.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_CHILD = """
import os, subprocess, sys
live, fresh = sys.argv[1:]
if os.path.isdir(fresh):
    sys.exit(f"{fresh} is a folder")
subprocess.run(["cp", "--reflink=auto", live, fresh], check=True)
handle = os.open(fresh, os.O_RDONLY)
os.fsync(handle)
"""
