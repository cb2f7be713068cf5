"""Runs the files of `sql/dashboard` for one selection."""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.dashboard.selection import FILTERS, Row, Selection
from pipeline.warehouse.sql import files, quoted

# What a selection's queries read, each over those before it; they take their choice from variables.
VIEWS = ("clocks", "chosen", "visits", "sales", "returned")
# The table `shown`, of one selection, takes longest.
_OF_SHOWN = ("products", "kpis")


class Reading:
    """The rows of one selection on one connection, which it alone uses meanwhile."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
        self._connection = connection
        self._has_shown = False
        self.selection = selection
        for name, value in selection.variables().items():
            connection.execute(f"SET VARIABLE {name} = {_literal(value)}")
        for name in FILTERS:
            is_without = name in selection.filters and selection.filters[name] is None
            connection.execute(f"SET VARIABLE without_{name} = {is_without}")
        connection.execute(f"SET VARIABLE is_filtered = {bool(selection.filters)}")

    def rows(self, name: str) -> list[Row]:
        """The rows of `sql/dashboard/<name>.sql`."""
        if name in _OF_SHOWN and not self._has_shown:
            run(self._connection, "shown")
            self._has_shown = True
        return run(self._connection, name)


def run(connection: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    """The rows of a file of `sql/dashboard`; none of a statement that makes something."""
    result = connection.execute(dict(files("dashboard"))[name])
    columns = [column[0] for column in result.description or []]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _literal(value: date | str | None) -> str:
    if value is None:
        return "CAST(NULL AS VARCHAR)"
    return f"DATE '{value}'" if isinstance(value, date) else quoted(value)
