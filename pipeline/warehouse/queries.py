"""Runs the queries of `sql/queries` and the checks of `sql/checks` on the snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.sql import files


@dataclass(frozen=True)
class QueryResult:
    """Column names and rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def purpose(text: str) -> str:
    """The first comment line of an SQL file."""
    return text.splitlines()[0].removeprefix("--").strip()


def questions() -> dict[str, str]:
    """Name and purpose of each query."""
    return {name: purpose(text) for name, text in files("queries")}


def ask(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> QueryResult:
    """The result of `sql/queries/<name>.sql`; a missing parameter is NULL.

    Raises `DatabaseError` for an unknown name or parameter.
    """
    texts = dict(files("queries"))
    if name not in texts:
        raise DatabaseError(f"no query {name!r}; choose one of: {', '.join(texts)}")
    text = texts[name]
    named = parameters_of(name)
    unknown = sorted(set(parameters) - set(named))
    if unknown:
        takes = ", ".join(named) or "none"
        raise DatabaseError(f"query {name!r} has no parameter {unknown[0]!r}; it takes: {takes}")
    result = connection.execute(text, {key: parameters.get(key) for key in named})
    return QueryResult([column[0] for column in result.description or []], result.fetchall())


def refuse_unknown_store(connection: duckdb.DuckDBPyConnection, store: str) -> None:
    """Raises `DatabaseError` for a store without any event, accepted or rejected."""
    rows = connection.execute(
        "SELECT store_id FROM daily_traffic UNION SELECT store_id FROM rejected_events ORDER BY ALL"
    ).fetchall()
    known = [name for (name,) in rows]
    if store not in known:
        raise DatabaseError(
            f"no events of a store {store!r}; stores with events: {', '.join(known) or 'none'}"
        )


def parameters_of(name: str) -> list[str]:
    """The parameters of `sql/queries/<name>.sql`, by name; none for an unknown name."""
    return sorted(set(re.findall(r"\$([a-z_]+)", dict(files("queries")).get(name, ""))))


def required(name: str) -> list[str]:
    """The required parameters of `sql/queries/<name>.sql`; none for an unknown name.

    The optional ones appear in the text as `$x IS NULL` or `coalesce($x, …)`.
    """
    text = dict(files("queries")).get(name, "")
    optional = re.findall(r"\$([a-z_]+) IS NULL|coalesce\(\$([a-z_]+)", text)
    left_out = {found for pair in optional for found in pair}
    return [each for each in parameters_of(name) if each not in left_out]


def broken(connection: duckdb.DuckDBPyConnection) -> dict[str, QueryResult]:
    """The offending rows of each check, at most 20; no rows when it holds."""
    answers = {}
    for name, text in files("checks"):
        result = connection.execute(text)
        columns = [column[0] for column in result.description or []]
        answers[name] = QueryResult(columns, result.fetchmany(20))
    return answers
