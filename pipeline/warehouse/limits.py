"""What a reader's connection may do: read what it has attached, for so long, in so much memory.

Our questions need no more. A view in a file that somebody else has made could ask for more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import duckdb

# Between two interrupts: one that meets a connection between two statements has no effect.
INTERVAL = 0.1


class LimitError(Exception):
    """A question took too much of something; one line that names it and the setting."""


def lock(connection: duckdb.DuckDBPyConnection, *, memory: int | None = None) -> None:
    """From now on no other file can be read or written, and no setting be changed.

    `memory` is in bytes, None DuckDB's own share of the machine. What does not fit in it goes to
    files beside the database, if it can.
    """
    if memory is not None:
        connection.execute(f"SET memory_limit = '{memory}B'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextmanager
def limited(connection: duckdb.DuckDBPyConnection, longest: timedelta) -> Iterator[None]:
    """All statements of the `with` together take no longer. Raises `LimitError`."""
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
            f"not enough memory ({str(error).splitlines()[0]}): ask for fewer days, or raise"
            " PIPELINE_QUERY_MEMORY_BYTES"
        ) from None
    finally:
        done.set()
        watcher.join()
