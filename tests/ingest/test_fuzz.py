from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="no wheel for this platform or Python")


@pytest.mark.parametrize("target", ["fuzz_accept.py", "fuzz_http.py"])
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path, target: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name(target)),
            "-runs=20000",
            "-seed=1",
            f"-artifact_prefix={tmp_path}/",
            str(tmp_path / "corpus"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "Done 20000 runs" in done.stderr
