from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.process.restarts import ending


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(3)", "ended with code 3"),
        ("import os; os.abort()", "was killed by signal 6"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "was killed by signal 9 (as Linux does where memory runs out)",
        ),
        ("raise SystemExit(128 + 15)", "was killed by signal 15"),
    ],
    ids=["code", "abort", "kill", "as a shell says it"],
)
def test_an_end_is_a_code_or_a_signal(program: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ending(done.returncode) == said
