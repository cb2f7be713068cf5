"""What pytest-timeout cannot end: C code that takes no signal, and a teardown after a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CONFTEST = """
import hanging
from hanging import *

hanging.GRACE = 0
"""
IN_C = """
import signal
import threading

def test_hangs():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    threading.Event().wait()
"""
IN_TEARDOWN = """
import threading
import pytest

@pytest.fixture
def hangs():
    yield
    threading.Event().wait()

def test_fails(hangs):
    assert "this" == "that"
"""


def run(test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """pytest with only what ends a hang, and two seconds for a test."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_stuck.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\ntimeout = 2\n")
    here = Path(__file__).parent
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_timeout", "-p", "no:cacheprovider"],
        env={**os.environ, "PYTHONPATH": str(here), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_test_that_takes_no_signal_prints_its_stack_and_ends_the_run(tmp_path: Path) -> None:
    ended = run(IN_C, tmp_path)
    assert ended.returncode == 1
    assert "in test_hangs" in ended.stderr


def test_a_failure_is_printed_before_the_teardown_that_hangs_after_it(tmp_path: Path) -> None:
    ended = run(IN_TEARDOWN, tmp_path)
    assert ended.returncode == 1
    assert "in hangs" in ended.stderr
    assert "call of test_stuck.py::test_fails failed" in ended.stdout
    assert "assert 'this' == 'that'" in ended.stdout
