"""Runs the files of `sql/dashboard` for one selection, each at most once."""

from __future__ import annotations

from datetime import date

import duckdb

from pipeline.dashboard.selection import FILTERS, Row, Selection
from pipeline.warehouse.sql import files, quoted

# What each query reads of what others make: views, but for `shown`, which takes longest.
_MADE_BY = {
    "totals": ("visits", "sales"),
    "money": ("sales", "returned"),
    "trend_visits": ("visits",),
    "trend_sales": ("sales",),
    "breakdowns": ("visits", "sales"),
    "funnel": ("visits",),
    "products": ("shown", "sales"),
    "kpis": ("shown",),
}


class Reading:
    """The rows of one selection on one connection, which it alone uses meanwhile."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
        self._connection = connection
        self._made: set[str] = set()
        self.selection = selection
        for name, value in selection.variables().items():
            connection.execute(f"SET VARIABLE {name} = {_literal(value)}")
        for name in FILTERS:
            is_without = name in selection.filters and selection.filters[name] is None
            connection.execute(f"SET VARIABLE without_{name} = {is_without}")
        connection.execute(f"SET VARIABLE is_filtered = {bool(selection.filters)}")
        # Not when it is opened: another reader's would stand.
        run(connection, "chosen")

    def rows(self, name: str) -> list[Row]:
        """The rows of `sql/dashboard/<name>.sql`."""
        for made in _MADE_BY.get(name, ()):
            if made not in self._made:
                run(self._connection, made)
                self._made.add(made)
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
