"""Writes days of a table into a Delta table, whose own log names its files: `TABLE/_delta_log`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.export.contents import ExportedFile
from pipeline.warehouse.export.selection import Days, Table, days_in


def write_delta(
    connection: duckdb.DuckDBPyConnection, table: Table, days: Days, folder: Path
) -> dict[date | None, list[ExportedFile]]:
    """Replace the rows of `days`, also of those that are gone, in one commit of the table.

    Raises `DatabaseError` without the package, and where the table cannot be written.
    """
    try:
        from deltalake import DeltaTable, write_deltalake  # noqa: PLC0415  # an extra
        from deltalake.exceptions import DeltaError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise DatabaseError(
            "Delta tables need a package: pip install 'clickstream-pipeline[delta]'"
        ) from None
    path = folder / table.name
    try:
        is_partial = table.is_dated and DeltaTable.is_deltatable(str(path))
        write_deltalake(
            path,
            connection.sql(table.rows_of(days)).to_arrow_reader(),
            mode="overwrite",
            schema_mode="merge" if is_partial else "overwrite",
            partition_by=["day"] if table.is_dated else None,
            predicate=days_in(days) if is_partial else None,
        )
    except DeltaError as error:
        raise DatabaseError(f"{path} cannot be written: {error}") from None
    return {day: [] for day in days}
