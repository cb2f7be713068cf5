"""Test names do not depend on time, addresses or chance, because xdist's workers compare them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Half a day ahead, so that a name made from the hour differs too.
LATER = (
    "import time as t; now = t.time; t.time = lambda: now() + 43_333.3;"
    " import pytest; pytest.main({!r})"
)
COLLECT = ["--collect-only", "--long", "-q", "-o", "addopts=--import-mode=importlib"]


def collected_later() -> set[str]:
    """All test names, collected in a separate process with another seed of its hashes."""
    arguments = [*COLLECT, "-p", "no:cacheprovider", str(ROOT / "tests")]
    done = subprocess.run(
        [sys.executable, "-c", LATER.format(arguments)],
        cwd=ROOT,
        # What the run itself was asked for would change what this one prints.
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTHONHASHSEED": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_names_do_not_depend_on_time_addresses_or_chance(request: pytest.FixtureRequest) -> None:
    """Those of this run are among them."""
    later = collected_later()
    assert len(later) > 1000
    assert {item.nodeid for item in request.session.items} - later == set()
