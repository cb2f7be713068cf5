"""What is exported: tables of `sql/export`, days, and which of the days have changed."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.export.contents import ExportedDay, ExportedFile
from pipeline.warehouse.manifest import layout_of
from pipeline.warehouse.sql import files

Days = Collection[date | None]
# Spark has no UUID, Delta no unsigned integers, and neither has JSON. Also inside of other types.
_PLAIN = {
    "UUID": "VARCHAR",
    "JSON": "VARCHAR",
    "UBIGINT": "DECIMAL(20, 0)",
    "UTINYINT": "SMALLINT",
}
_OTHERS = re.compile(rf"\b({'|'.join(_PLAIN)})\b")


def _plain(kind: re.Match[str]) -> str:
    return _PLAIN[kind[1]]


def days_in(days: Days) -> str:
    """The condition that a row is of one of some days."""
    named = ", ".join(f"DATE '{day}'" for day in days if day is not None)
    conditions = [f"day IN ({named})"] if named else []
    return " OR ".join([*conditions, "day IS NULL"] if None in days else conditions)


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
    columns: dict[str, str]
    days: dict[date | None, tuple[int, str]]

    @property
    def is_dated(self) -> bool:
        """Whether it has a column `day`."""
        return "day" in self.columns

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, name: str, text: str, selection: Selection
    ) -> Table:
        """Reads all rows of the selected days."""
        described = connection.execute(f"DESCRIBE {text}").fetchall()
        columns = {name: kind for name, kind, *_ in described}
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
        return cls(name, text, columns, days)

    def changed(self, former: list[ExportedDay], selection: Selection) -> list[date | None]:
        """The days that `former` lacks, has otherwise, or has and the snapshot has no more."""
        held = {day.day: (day.rows, day.hash) for day in former}
        gone = [day for day in held if day not in self.days and selection.holds(day)]
        return [day for day, found in self.days.items() if held.get(day) != found] + gone

    def rows_of(self, days: Days) -> str:
        """The query of the rows of some days, in types that other engines have."""
        plain = {name: _OTHERS.sub(_plain, kind) for name, kind in self.columns.items()}
        columns = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in plain.items())
        where = f"WHERE {days_in(days)}" if self.is_dated else ""
        return f"SELECT {columns} FROM (\n{self.text}\n) {where}"  # noqa: S608  # our own names

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
