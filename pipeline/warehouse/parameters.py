"""The parameters of the questions of `sql/queries`: what they may be, and the SQL with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.sql import files, in_order, quoted, table_macros

DAYS = ("first", "last")
_RANGE = "SELECT CAST(min(day) AS VARCHAR), CAST(max(day) AS VARCHAR) FROM daily_traffic"


def parameters_of(name: str) -> list[str]:
    """The parameters of a question; none for an unknown name."""
    return sorted(set(re.findall(r"\$([a-z_]+)", dict(files("queries")).get(name, ""))))


def required(name: str) -> list[str]:
    """Those without which it has no answer; none for an unknown name.

    The optional ones appear in the text as `$x IS NULL` or `coalesce($x, …)`.
    """
    text = dict(files("queries")).get(name, "")
    optional = re.findall(r"\$([a-z_]+) IS NULL|coalesce\(\$([a-z_]+)", text)
    left_out = {found for pair in optional for found in pair}
    return [each for each in parameters_of(name) if each not in left_out]


def allowed(parameter: str) -> str:
    """What a value may be, for a message."""
    if parameter in DAYS:
        return "YYYY-MM-DD"
    return "|".join(grains()) if parameter == "grain" else parameter.upper()


def grains() -> list[str]:
    """The values of `grain`, by the macro that makes them."""
    return re.findall(r"'grain': '(\w+)'", dict(files("macros"))["kpi_parts"])


def refuse_malformed(values: Mapping[str, str]) -> None:
    """Raises `DatabaseError` for a day that is none, an unknown grain, and days in disorder."""
    days = {}
    for name in [each for each in DAYS if each in values]:
        with suppress(ValueError):
            if re.fullmatch(r"\d{4}-\d\d-\d\d", values[name]):
                days[name] = date.fromisoformat(values[name])
        if name not in days:
            raise DatabaseError(
                f"{name}={values[name]} is not a day: write it as YYYY-MM-DD, as in 2026-07-01"
            )
    if "grain" in values and values["grain"] not in grains():
        raise DatabaseError(f"grain={values['grain']} is none of: {', '.join(grains())}")
    if days.get("first", date.min) > days.get("last", date.max):
        raise DatabaseError(f"first={values['first']} is after last={values['last']}")


def all_days(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """`first` and `last`: of all days with events. Any day, where there are none."""
    first, last = connection.execute(_RANGE).fetchall()[0]
    return {"first": first or "1970-01-01", "last": last or "1970-01-01"}


def explained(name: str, values: Mapping[str, str]) -> str:
    """The SQL of a question with its values: any client can run it on the snapshot."""
    text = dict(files("queries"))[name]
    used = _macros_in(text)
    made = [
        macro.replace("REPLACE MACRO", "REPLACE TEMP MACRO")
        for each, macro in in_order("macros")
        if each in used
    ]
    # The first line says the purpose, with the names.
    purpose, _, body = text.partition("\n")
    body = re.sub(
        r"^(?!--).*",
        lambda line: re.sub(r"\$([a-z_]+)", lambda found: _literal(values, found[1]), line[0]),
        body,
        flags=re.MULTILINE,
    )
    return "\n".join([*made, purpose, body])


def _macros_in(text: str) -> set[str]:
    names = {name for name in table_macros() if re.search(rf"\b{name}\(", text)}
    return names.union(*(_macros_in(table_macros()[name][1]) for name in names))


def _literal(values: Mapping[str, str], name: str) -> str:
    return quoted(values[name]) if name in values else "CAST(NULL AS VARCHAR)"
