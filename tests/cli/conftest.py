"""Runs the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Runs `pipeline ARGUMENTS…` in the test's folder, with PIPELINE_ settings as keywords."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        given = {"home": str(tmp_path / "home"), **settings}
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env={**os.environ, **{f"PIPELINE_{k.upper()}": v for k, v in given.items()}},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            # The default of most systems, so that private files are our doing.
            umask=0o022,
        )

    return run
