"""Test names do not depend on time, addresses or chance, because xdist's workers compare them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# LATER is half a day ahead, so a name made from the hour differs too.
NOW = "import pytest; pytest.main({!r})"
LATER = "import time as t; now = t.time; t.time = lambda: now() + 43_333.3; " + NOW
COLLECT = ["--collect-only", "-q", "-o", "addopts=--import-mode=importlib"]


def collected(*, seed: str, code: str) -> list[str]:
    """All test names, collected in a separate process."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code.format([*COLLECT, "-p", "no:cacheprovider", str(ROOT / "tests")]),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_names_do_not_depend_on_time_addresses_or_chance() -> None:
    one = collected(seed="1", code=NOW)
    other = collected(seed="2", code=LATER)
    assert len(one) > 1000
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]] == []
