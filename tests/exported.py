"""Reads an export as other engines do: the files that its list names."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from pipeline.warehouse.export.contents import Export
from pipeline.warehouse.sql import files

TABLES = dict(files("export"))


def listed(folder: Path) -> Export:
    """The list of the export in `folder`."""
    found = Export.read(folder)
    assert found is not None
    return found


def relation(folder: Path, table: str) -> str:
    """What DuckDB reads the table from; it must have a file."""
    names = [str(folder / f.name) for day in listed(folder).tables[table] for f in day.files]
    return f"read_parquet({names}, hive_partitioning = false)"


def in_export(folder: Path, table: str) -> list[Any]:
    """Every row of a table, in order; none without a file."""
    if not any(day.files for day in listed(folder).tables[table]):
        return []
    return in_order(duckdb.sql(f"FROM {relation(folder, table)}").fetchall())


def in_snapshot(connection: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    """Every row that an export has, in order."""
    return in_order(connection.execute(f"FROM (\n{TABLES[table]}\n)").fetchall())


def in_order(rows: list[Any]) -> list[Any]:
    """Rows in order, with keys as text."""
    return sorted((plain(row) for row in rows), key=repr)


def plain(value: Any) -> Any:
    """What other engines have in place of a value."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def assert_equals(folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Each table of the export has the rows of the snapshot, and the list says how many."""
    for table in TABLES:
        rows = in_snapshot(connection, table)
        assert in_export(folder, table) == rows, table
        days = listed(folder).tables[table]
        assert sum(day.rows for day in days) == len(rows), table
        assert all(sum(f.rows for f in day.files) == day.rows for day in days), table
        assert all((folder / f.name).stat().st_size == f.bytes for day in days for f in day.files)
