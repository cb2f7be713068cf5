"""Copies a database file in a child process that does not outlive its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.warehouse.snapshots.copy_record import Copy

PROGRAM = (sys.executable, "-m", "pipeline.warehouse.snapshots.copy_child")


class CopyError(Exception):
    """The copy failed. The message is one line that says why."""


class Copying:
    """A synced copy of `source` at `path`, beside `target`, made while the caller goes on.

    Leftovers of killed copies are deleted first, so only one process may copy to `target`. The file
    is deleted by `discard` unless the caller renamed it. Raises OSError.
    """

    def __init__(self, source: Path, target: Path) -> None:
        prefix, suffix = f"{target.name}.", ".new"
        for leftover in target.parent.glob(f"{prefix}*{suffix}"):
            leftover.unlink()
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=target.parent)
        os.close(handle)
        self.path = Path(name)
        # In a child: closing any descriptor of the live file in this process would drop DuckDB's
        # lock. Without a `preexec_fn`, which would copy the page tables of a large process.
        try:
            self._child = subprocess.Popen(
                [*PROGRAM, str(source), name, str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except BaseException:
            self.path.unlink()
            raise

    def is_done(self) -> bool:
        """Whether `result` would return, or raise, at once."""
        return self._child.poll() is not None

    def result(self) -> Copy:
        """Wait for the copy. Raises `CopyError` when it failed or was killed."""
        said, problem = self._child.communicate()
        if self._child.returncode:
            raise CopyError((problem.strip().splitlines() or ["the copy was killed"])[-1])
        method, seconds = said.split()
        return Copy(method, float(seconds), self.path.stat().st_size)

    def discard(self) -> None:
        """Kill the child if it runs, and delete the copy if it was not renamed."""
        with self._child:  # closes its pipes
            self._child.kill()
        self.path.unlink(missing_ok=True)


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy as `Copying` makes, until the end of the `with`. Raises `CopyError` and OSError."""
    copying = Copying(source, target)
    try:
        copying.result()
        yield copying.path
    finally:
        copying.discard()
