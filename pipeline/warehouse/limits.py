"""Limits of a reader's connection: no other files, a time limit, a memory limit.

Our queries need no more, but a view in a foreign database file could ask for more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb

from pipeline.warehouse.cause import cause

# Seconds between interrupts, which repeat: one that falls between two statements has no effect.
INTERVAL = 0.1


class LimitError(Exception):
    """A query exceeded a limit. The message is one line that names the setting."""


def lock(connection: duckdb.DuckDBPyConnection, *folders: Path, memory: int | None = None) -> None:
    """Forbid `connection` to access other files than those in `folders`, and to change settings.

    `memory` is in bytes; None is DuckDB's default share of the machine. What exceeds it is spilled
    to files beside the database if the folder is writable.
    """
    if memory is not None:
        connection.execute(f"SET memory_limit = '{memory}B'")
    # Only before external access ends; a view in a foreign file must reach nothing else.
    connection.execute("SET allowed_directories = ?", [[str(folder) for folder in folders]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextmanager
def limited(connection: duckdb.DuckDBPyConnection, longest: timedelta) -> Iterator[None]:
    """Limit the total time of the statements in the `with`. Raises `LimitError`."""
    done, is_over = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(longest.total_seconds()):
            return
        is_over.set()
        while not done.wait(INTERVAL):
            connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException:
        if not is_over.is_set():
            raise
        raise LimitError(
            f"no answer within {longest.total_seconds():g} s: ask for fewer days, or raise"
            " PIPELINE_QUERY_TIMEOUT"
        ) from None
    except duckdb.OutOfMemoryException as error:
        raise LimitError(
            f"not enough memory ({cause(error)}): ask for fewer days, or raise"
            " PIPELINE_QUERY_MEMORY_BYTES"
        ) from None
    finally:
        done.set()
        watcher.join()
