"""Looks for a text in every file of a home, and in every value that its databases hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb


def places_of(text: str, home: Path) -> list[str]:
    """Where it was found: paths, and tables of databases. No process may have a database open."""
    return sorted({*_names(text, home), *_bytes(text, home), *_values(text, home)})


def _files(home: Path) -> Iterator[Path]:
    return (path for path in home.rglob("*") if path.is_file())


def _names(text: str, home: Path) -> Iterator[str]:
    return (str(path) for path in home.rglob("*") if text in path.name)


def _bytes(text: str, home: Path) -> Iterator[str]:
    wanted = text.encode()
    for path in _files(home):
        if wanted in path.read_bytes():
            yield str(path.relative_to(home))


def _values(text: str, home: Path) -> Iterator[str]:
    # Both kinds of files hold compressed text.
    for path in _files(home):
        name = str(path.relative_to(home))
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                if connection.execute(_FOUND.format(f"read_parquet('{path}')"), [text]).fetchall():
                    yield name
        elif ".duckdb" in path.name and not path.name.endswith(".wal"):
            with duckdb.connect() as connection:
                connection.execute(f"ATTACH '{path}' AS searched (READ_ONLY)")
                for (table,) in connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'searched'"
                ).fetchall():
                    if connection.execute(_FOUND.format(f"searched.{table}"), [text]).fetchall():
                        yield f"{name}: {table}"


_FOUND = "SELECT 1 FROM {} AS row WHERE contains(CAST(row AS VARCHAR), ?) LIMIT 1"
