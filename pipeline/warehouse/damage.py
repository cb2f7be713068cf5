"""Tells a file that is no whole database from one that is only held, or cannot be read."""

from __future__ import annotations

import re

import duckdb

from pipeline.warehouse.cause import cause

_DAMAGE = re.compile(
    r"not a valid DuckDB database|Could not read enough bytes|[Cc]orrupt database|checksum"
)
_HELD = re.compile(r"[Cc]onflicting lock|Could not set lock")


def is_damage(error: Exception) -> bool:
    """Whether DuckDB says that what a file holds is wrong."""
    return isinstance(error, duckdb.Error) and _DAMAGE.search(str(error)) is not None


def why_closed(error: duckdb.Error, *, held: str, damaged: str) -> str:
    """Why DuckDB opens a file not, to be said behind its name; the advice is the caller's.

    `held`: another process writes to it; `damaged`: what it holds is wrong.
    """
    line = cause(error)
    if is_damage(error):
        return f"is damaged ({line}): {damaged}"
    if _HELD.search(line):
        return f"{held} ({line})"
    return f"cannot be opened: {line}"
