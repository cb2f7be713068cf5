"""A copy and its parent: neither the copy of a loader that was killed, nor its file, stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from processes import wait_for

from pipeline.warehouse.copying import CopyError, copied

COPY = """
import sys
from pathlib import Path
from pipeline.warehouse.copying import copied
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
            return bool(found) and found[0].name() == "cp"

        wait_for(copying)
        (left,) = tmp_path.glob("target.*")
        parent.kill()
        gone, alive = psutil.wait_procs(found, timeout=10)
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
        pytest.raises(CopyError, match="cannot stat"),
        copied(tmp_path / "source", tmp_path / "target"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
