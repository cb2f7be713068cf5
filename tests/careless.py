"""A client that opens a snapshot for writing, as DuckDB does unless asked otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Like a notebook: opens the file with DuckDB's defaults, runs the statements, and keeps the file
# open until its input ends.
CLIENT = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("SET threads = 1; PRAGMA disable_checkpoint_on_shutdown")
for statement in sys.argv[2:]:
    try:
        connection.execute(statement)
    except duckdb.Error as error:
        print("refused:", str(error).splitlines()[0], flush=True)
print("done", flush=True)
sys.stdin.read()
"""


@contextmanager
def client(path: Path, *statements: str) -> Iterator[str]:
    """Keep the file open for writing until the end of the block; yields the client's output."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("done\n"):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield said
