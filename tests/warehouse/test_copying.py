"""A copy and its parent: neither the copy of a loader that was killed, nor its file, stays."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from processes import wait_for

from pipeline.warehouse.snapshots import copy_child
from pipeline.warehouse.snapshots.copying import CopyError, copied

COPY = """
import sys
from pathlib import Path
from pipeline.warehouse.snapshots import copy_child
from pipeline.warehouse.snapshots.copying import copied
with copied(Path(sys.argv[1]), Path(sys.argv[2])):
    pass
"""


def test_a_copy_dies_with_its_process_and_the_next_copy_deletes_its_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    os.mkfifo(source)  # a copy that never ends
    with subprocess.Popen([sys.executable, "-c", COPY, str(source), str(target)]) as parent:
        found: list[psutil.Process] = []

        def copying() -> bool:
            found[:] = psutil.Process(parent.pid).children()
            return bool(found) and any(tmp_path.glob("target.*"))

        wait_for(copying)
        (left,) = tmp_path.glob("target.*")
        parent.kill()
        gone, alive = psutil.wait_procs(found, timeout=60)
        for child in alive:
            child.kill()
    assert (len(gone), alive) == (1, [])
    assert left.exists()
    source.unlink()
    source.write_text("whole")
    with copied(source, target) as fresh:
        assert fresh != left
        assert not left.exists()
        assert fresh.read_text() == "whole"
        fresh.replace(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_a_copy_that_fails_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(CopyError, match="source: No such file or directory"),
        copied(tmp_path / "source", tmp_path / "target"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["reflink", "copy"])
def test_a_copy_is_synced_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Both methods, whatever the file system of this folder can."""
    source, target = tmp_path / "source", tmp_path / "target"
    content = os.urandom(40 * 1024 * 1024)
    source.write_bytes(content)
    target.touch()
    sizes, sync = [0], os.fsync

    def seen(file: BinaryIO) -> None:
        sync(file)
        sizes.append(os.fstat(file.fileno()).st_size)

    def clone(_: BinaryIO, new: BinaryIO) -> bool:
        if method == "reflink":
            new.write(content)
            new.flush()
        return method == "reflink"

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(copy_child, "_clone", clone)
    assert copy_child.copy(str(source), str(target)) == method
    assert target.read_bytes() == content
    assert sizes[-1] == len(content)
    if method == "copy":
        # What a commit of the loader may have to wait for.
        assert max(after - before for before, after in pairwise(sizes)) <= 16 * 1024 * 1024
