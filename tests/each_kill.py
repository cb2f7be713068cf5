"""Kills a process before each thing that it does, and looks at what is left.

A script of such kills (`archive_kills.py` and others) is run by `assert_whole_after`. `make test`
kills at one step in `--every` (by default seven), `make chaos` at all of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import duckdb

CALLS = {"fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "chmod"}
STATEMENTS = {"COPY", "DELETE", "INSERT", "UPDATE", "CREATE", "COMMIT"}


class Killer:
    """Kills the process before the `number`th thing of those that it is told of."""

    def __init__(self, number: int) -> None:
        self._left = number

    def touch(self, what: str) -> None:
        """About to do `what`."""
        self._left -= 1
        if self._left == 0:
            os.write(1, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A connection whose statements `killer` sees."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, killer: Killer) -> None:
        self._connection = connection
        self._killer = killer
        # The tables of a batch are variables of whoever called us.
        connection.execute("SET python_scan_all_frames = true")

    def execute(
        self, query: str | duckdb.Statement, values: object = None
    ) -> duckdb.DuckDBPyConnection:
        """As the connection's own."""
        text = query if isinstance(query, str) else query.query
        if text.split(maxsplit=1)[0] in STATEMENTS:
            self._killer.touch(text.split(maxsplit=1)[0])
        return self._connection.execute(query, values)


def forked(what: Callable[[], None]) -> tuple[int, str]:
    """Exit status and output of `what` in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        try:
            what()
        except BaseException:  # noqa: BLE001  # said to the parent
            os.write(1, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    return os.waitpid(child, 0)[1], text


def kill_each(
    folder: Path, life: Callable[..., None], look: Callable[[Path], None], *, every: int
) -> None:
    """Kill `life` of a copy of `folder` before its first thing, and so on in steps of `every`.

    `look` at each after.
    """
    for number in count(1, every):
        home = folder.with_name(f"kill-{number}")
        shutil.copytree(folder, home, symlinks=True)
        live = home / "live.duckdb"
        status, about = forked(partial(life, live, number))
        assert status in (0, signal.SIGKILL), about
        wrong, text = forked(partial(look, live))
        print(f"{about or 'the end'}: {text if wrong else 'whole'}", flush=True)
        shutil.rmtree(home)
        if status == 0:
            return


def assert_whole_after(script: str, *arguments: object, every: int, kills: set[str]) -> None:
    """Run `script` of this folder with `arguments` and `every`: all must be whole after each kill.

    `kills`: what the script must have killed before; with a larger `every`, one of them.
    """
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(script), *map(str, arguments), str(every)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    assert [line for line in lines if line[2] != "whole"] == [], done.stdout
    assert lines, done.stderr
    assert lines[-1][0] == "the end", done.stderr
    assert done.returncode == 0, done.stderr
    met = {about for about, _, _ in lines[:-1]}
    assert kills <= met if every == 1 else kills & met
