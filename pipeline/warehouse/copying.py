"""Copies a database file in a child process that does not outlive its parent."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pipeline.parent_death import end_with


class CopyError(Exception):
    """The copy failed. The message is one line that says why."""


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy of `source` beside `target`, under a temporary name.

    The copy is deleted afterwards unless the caller renamed it. Leftovers of killed copies are
    deleted first, so only one process may copy to `target`. Raises `CopyError` and OSError.
    """
    prefix, suffix = f"{target.name}.", ".new"
    for leftover in target.parent.glob(f"{prefix}*{suffix}"):
        leftover.unlink()
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=target.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        _copy(source, fresh)
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _copy(source: Path, fresh: Path) -> None:
    # In a child: closing any descriptor of the live file in this process would drop DuckDB's lock.
    ended = subprocess.run(
        ["cp", "--reflink=auto", str(source), str(fresh)],  # noqa: S607  # from PATH
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        # No copy may still be writing when the next loader starts.
        preexec_fn=partial(end_with, os.getpid()),  # two calls, no locks
    )
    if ended.returncode:
        raise CopyError((ended.stderr.strip().splitlines() or ["the copy was killed"])[-1])
