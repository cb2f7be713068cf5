"""What is exported: tables of `sql/export`, days, and which of the days have changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.export.contents import ExportedDay, ExportedFile
from pipeline.warehouse.manifest import layout_of
from pipeline.warehouse.sql import files

Days = Collection[date | None]


@dataclass(frozen=True, slots=True)
class Selection:
    """Tables, all of them where there is none; days, both included, None without a bound."""

    tables: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def texts(self) -> dict[str, str]:
        """The query of each table. Raises `DatabaseError` for an unknown one."""
        known = dict(files("export"))
        for name in self.tables:
            if name not in known:
                raise DatabaseError(
                    f"there is no table {name!r} to export; choose of: {', '.join(known)}"
                )
        return {name: known[name] for name in self.tables or known}

    def holds(self, day: date | None) -> bool:
        """Whether rows of `day` are exported. A table without days is whole."""
        return day is None or (
            (self.since is None or self.since <= day) and (self.until is None or day <= self.until)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table as a snapshot has it: its query, and rows and hash of each selected day."""

    name: str
    text: str
    is_dated: bool
    days: dict[date | None, tuple[int, str]]

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, name: str, text: str, selection: Selection
    ) -> Table:
        """Reads all rows of the selected days."""
        columns = {row[0] for row in connection.execute(f"DESCRIBE {text}").fetchall()}
        is_dated = "day" in columns
        bounds = [f"day >= DATE '{selection.since}'"] if is_dated and selection.since else []
        bounds += [f"day <= DATE '{selection.until}'"] if is_dated and selection.until else []
        where = f"WHERE {' AND '.join(bounds)}" if bounds else ""
        found = connection.execute(
            f"SELECT {'day' if is_dated else 'NULL'} AS of, count(*), sum(hash(held))"  # noqa: S608  # our own names
            f" FROM (\n{text}\n) AS held {where} GROUP BY of"
        ).fetchall()
        layout = layout_of(connection, text)
        days = {day: (rows, f"{layout}:{digest}") for day, rows, digest in found}
        return cls(name, text, is_dated, days)

    def changed(self, former: list[ExportedDay]) -> list[date | None]:
        """The days that `former` lacks or has otherwise."""
        held = {day.day: (day.rows, day.hash) for day in former}
        return [day for day, found in self.days.items() if held.get(day) != found]

    def rows_of(self, days: Days) -> str:
        """The query of the rows of some days."""
        if not self.is_dated:
            return self.text
        named = ", ".join(f"DATE '{day}'" for day in days if day is not None)
        conditions = [f"day IN ({named})"] if named else []
        conditions += ["day IS NULL"] if None in days else []
        return f"FROM (\n{self.text}\n) WHERE {' OR '.join(conditions)}"

    def listed(
        self,
        former: list[ExportedDay],
        files: dict[date | None, list[ExportedFile]],
        selection: Selection,
        as_of: datetime,
    ) -> list[ExportedDay]:
        """`former` with the `files` of days that were written, and without days that are gone."""
        kept = {day.day: day for day in former}
        days = {day: held for day, held in kept.items() if not selection.holds(day)}
        for day, (rows, digest) in self.days.items():
            named = files[day] if day in files else kept[day].files
            days[day] = ExportedDay(day, rows, digest, as_of, named)
        return sorted(days.values(), key=lambda held: held.day or date.min)
