"""Runs the queries of `sql/queries` and the checks of `sql/checks` on the snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.parameters import allowed, parameters_of
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
    """Name and purpose of each question."""
    return {name: purpose(text) for name, text in files("queries")}


def refuse_unknown(name: str, parameters: Iterable[str]) -> None:
    """Raises `DatabaseError` for an unknown question, or a parameter that it does not take."""
    if name not in dict(files("queries")):
        raise DatabaseError(f"no query {name!r}; choose one of: {', '.join(questions())}")
    named = parameters_of(name)
    unknown = sorted(set(parameters) - set(named))
    if unknown:
        takes = ", ".join(f"{each}={allowed(each)}" for each in named) or "none"
        raise DatabaseError(f"query {name!r} has no parameter {unknown[0]!r}; it takes: {takes}")


def ask(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, str]
) -> QueryResult:
    """The result of `sql/queries/<name>.sql`; a missing parameter is NULL.

    Raises `DatabaseError` for an unknown name or parameter.
    """
    refuse_unknown(name, parameters)
    text = dict(files("queries"))[name]
    result = connection.execute(text, {key: parameters.get(key) for key in parameters_of(name)})
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


def broken(connection: duckdb.DuckDBPyConnection) -> dict[str, QueryResult]:
    """The offending rows of each check, at most 20; no rows when it holds."""
    answers = {}
    for name, text in files("checks"):
        result = connection.execute(text)
        columns = [column[0] for column in result.description or []]
        answers[name] = QueryResult(columns, result.fetchmany(20))
    return answers
