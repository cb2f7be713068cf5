"""How commands end early: by Ctrl-C at any moment, and when the output is full or closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Prints a line when it begins to load the commands; before that Python itself starts.
BEGIN = """
import signal, sys
from pipeline.__main__ import main
class Herald:
    def find_spec(self, name, path, target=None):
        if name == "pipeline.cli.main":
            print("begun", file=sys.stderr, flush=True)
sys.meta_path.insert(0, Herald())
is_ignored = "ignored" in sys.argv  # the tests themselves may run so
signal.signal(signal.SIGINT, signal.SIG_IGN if is_ignored else signal.default_int_handler)
main()
"""
# Says which number the next file gets, and whether a line on stderr is an error.
NUMBERS = """
import os, sys
from pipeline.cli.standard_files import open_standard_files
open_standard_files()
nowhere = os.stat(os.devnull).st_rdev
sys.stderr.write("heard by nobody")
with open("numbers", "w") as file:
    print(file.fileno(), *(os.fstat(each).st_rdev == nowhere for each in range(3)), file=file)
"""
FULL = "no space is left on the disk: free some and run it again"
QUESTION = ("query", "funnel")


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_ctrl_c_at_any_moment_ends_in_silence(tmp_path: Path) -> None:
    """While it loads; `test_sweep.py` has each command at work."""
    codes = []
    for step in range(12):
        with started(tmp_path, *QUESTION) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "begun\n"
            time.sleep(step / 10)
            process.send_signal(signal.SIGINT)
            said = process.communicate()[1]
        assert "Traceback" not in said
        assert "Aborted" not in said
        codes.append(process.returncode)
    # Killed by the signal while loading, exit code 130 later, or finished before.
    assert set(codes) <= {-signal.SIGINT, 130, 1}
    assert codes[0] == -signal.SIGINT


@pytest.mark.parametrize("step", range(8))
def test_a_ctrl_c_at_work_is_130_and_tidies_up(tmp_path: Path, step: int) -> None:
    """Also within a statement of DuckDB, which raises its own error."""
    command = [sys.executable, "-c", BEGIN, "local", "-", "--database", "made.duckdb"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while not list(tmp_path.glob("made.duckdb.*.new")):
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(step / 100)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.wait(60) == 130
        assert process.stderr.read() == "begun\n"
    assert list(tmp_path.glob("made.duckdb*")) == []


def test_a_ctrl_c_that_is_ignored_from_outside_stays_ignored(tmp_path: Path) -> None:
    with started(tmp_path, "traffic", "--devices", "3", "ignored") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        # It continues, and fails on the unknown argument.
        assert "unexpected extra argument (ignored)" in process.communicate()[1]
        assert process.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [("query",), ("--help",), ("--version",)],
    ids=["query", "help", "version"],
)
def test_a_full_output_is_one_line_and_exit_code_1(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=tmp_path,
            # Buffered, as for a user: flushing at the exit fails.
            env={name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, f"Error: {FULL}\n")


def without(tmp_path: Path, closed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a shell does where `closed` is written behind the command."""
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", ["--help", "--version", "query"])
def test_a_closed_output_is_one_line_and_exit_code_1(tmp_path: Path, arguments: str) -> None:
    done = without(tmp_path, ">&-", "-m", "pipeline", arguments)
    said = "Error: stdin or stdout is closed (<&- or >&-): leave it open, or use /dev/null\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_closed_output_is_no_error_where_nothing_is_printed(tmp_path: Path) -> None:
    (tmp_path / "none.ndjson").touch()
    done = without(tmp_path, "<&- >&-", "-m", "pipeline", "validate", "none.ndjson")
    assert (done.returncode, done.stderr) == (0, "")
    done = without(tmp_path, "<&- >&-", "-m", "pipeline", "validate", "-")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: stdin or stdout is closed")


def test_no_file_gets_the_number_of_a_closed_output(tmp_path: Path) -> None:
    """What is printed, by any library, would go into it."""
    assert without(tmp_path, "<&- >&- 2>&-", "-c", NUMBERS).returncode == 0
    assert (tmp_path / "numbers").read_text() == "3 True True True\n"
