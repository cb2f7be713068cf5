"""Runs `pipeline` with its home on a file system of its own, whose size a test sets.

`python own_disk.py SIZE HOME VERB`. Other processes do not see what is there: it is a mount of a
namespace, for which most machines need no root. No disk of the machine fills: the file system is
in memory, and takes what is written and not its size.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o size="$1" own-disk "$2" && shift 2 && exec "$@"'
# How to get the namespace, and how to enter that of a process. Containers often forbid the first.
WAYS = (
    (
        ("unshare", "--user", "--map-root-user", "--mount"),
        ("nsenter", "--user", "--preserve-credentials", "--mount"),
    ),
    (("unshare", "--mount"), ("nsenter", "--mount")),
)


@cache
def _way() -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The first that works here."""
    for made, entered in WAYS:
        tried = ("mount", "-t", "tmpfs", "own-disk", "/tmp")  # noqa: S108  # seen by nobody else
        if subprocess.run([*made, *tried], capture_output=True, check=False).returncode == 0:
            return made, entered
    return None


def require_own_disk() -> None:
    """Skip the test where no file system may be mounted; in CI it fails."""
    if _way() is None:
        why = "no file system may be mounted: a container needs CAP_SYS_ADMIN"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


def resize(process_id: int, home: Path, size: str) -> None:
    """Let the file system on which that process has its home be as large as `size`."""
    way = _way()
    assert way is not None
    subprocess.run(
        [*way[1], f"--target={process_id}", "mount", "-o", f"remount,size={size}", str(home)],
        check=True,
    )


def main(size: str, home: str, *verb: str) -> None:
    """Become `pipeline VERB`."""
    way = _way()
    assert way is not None
    python = (sys.executable, "-m", "pipeline", *verb)
    words = [*way[0], "sh", "-c", MOUNT, "sh", size, home, *python]
    os.execvp(words[0], words)  # noqa: S606  # so that its caller has its process


if __name__ == "__main__":
    main(*sys.argv[1:])
