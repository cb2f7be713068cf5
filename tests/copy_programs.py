"""Programs in place of the child that copies the live file: it stops halfway, or runs out of disk.

All that the child does is real; only where it hesitates, or how large a file may grow, is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
from processes import wait_for

_HANGS = """
import os, sys, time
from pathlib import Path
from pipeline.warehouse.snapshots import copy_child

clone = copy_child._clone

def hang(old, new):
    folder = Path(sys.argv[2]).parent
    try:
        (folder / "hang").rename(folder / "hanging")
    except FileNotFoundError:
        return clone(old, new)
    new.write(b"half")
    new.flush()
    (folder / "pid").write_text(str(os.getpid()))
    (folder / "pid").rename(folder / "hangs")
    time.sleep(60)  # longer than any test waits
    sys.exit(1)

copy_child._clone = hang
sys.exit(copy_child.main(*sys.argv[1:]))
"""
_FULL = """
import resource, sys
from pathlib import Path
from pipeline.warehouse.snapshots import copy_child

if (Path(sys.argv[2]).parent / "full").exists():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.exit(copy_child.main(*sys.argv[1:]))
"""
# While there is a file `hang` beside the copy, one child takes it away and hangs.
HANGS = (sys.executable, "-c", _HANGS)
# While there is a file `full` beside the copy, no file may grow.
FULL = (sys.executable, "-c", _FULL)


def hanging(folder: Path, each: Callable[[], None] = int) -> psutil.Process:
    """The child that hangs, once it does; `each` is called while waiting."""
    wait_for((folder / "hangs").exists, each=each)
    return psutil.Process(int((folder / "hangs").read_text()))
