"""Copying a database aside, in a child process that does not outlive its parent."""

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
    """The copy failed; one line that says why."""


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy of `source` in the folder of `target`, under a name that no other copy has.

    It is gone afterwards, unless it was renamed. First goes what a copy that was killed has left:
    the caller is the only one who copies to `target`. Raises `CopyError` and OSError.
    """
    beginning, end = f"{target.name}.", ".new"
    for left in target.parent.glob(f"{beginning}*{end}"):
        left.unlink()
    handle, name = tempfile.mkstemp(prefix=beginning, suffix=end, dir=target.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        _copy(source, fresh)
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _copy(source: Path, fresh: Path) -> None:
    # Not in this process: closing any descriptor of the live file here would drop DuckDB's lock.
    ended = subprocess.run(
        ["cp", "--reflink=auto", str(source), str(fresh)],  # noqa: S607  # of PATH
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        # The next loader must not meet a copy that still writes.
        preexec_fn=partial(end_with, os.getpid()),  # two calls, no locks
    )
    if ended.returncode:
        raise CopyError((ended.stderr.strip().splitlines() or ["the copy was killed"])[-1])
