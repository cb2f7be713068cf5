"""What a transaction of the loader runs, in order."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipeline.warehouse.aggregates import AGGREGATES, difference
from pipeline.warehouse.days import DAYS
from pipeline.warehouse.sql import files


@dataclass(frozen=True)
class Step:
    """Statements, skipped when the query `if_any` has no rows: they would change nothing.

    Planning a statement costs DuckDB a millisecond or more, also over empty tables.
    """

    name: str
    text: str
    if_any: str | None = None


def staged(table: str) -> str:
    """The statement that moves rows from `arrived` to a staging table, with their days (T10)."""
    days = "".join(f", {value} AS {name}" for name, value in DAYS.get(table, {}).items())
    return f"""
        INSERT INTO {table} BY NAME
        SELECT arrived.*{days}
        FROM arrived{" LEFT JOIN stores USING (store_id)" if days else ""}
    """  # noqa: S608  # our own names


def load_steps(connection: duckdb.DuckDBPyConnection) -> list[Step]:
    """The steps for the tables of `connection`. All but the aggregates are files of `sql/load`."""
    return [
        _file("clear_working_tables"),
        _file("missing_events_at_start"),
        _file("facts"),
        _file("rejected_events", if_any="FROM in_rejected"),
        _file("late_events", if_any="FROM in_events WHERE is_late"),
        _file("order_lines", if_any="FROM fresh WHERE event_type IN ('purchase', 'refund')"),
        _file("horizons"),
        _file("recomputed_devices", if_any="FROM in_devices"),
        _file("stream_sessions", if_any="FROM in_sessions"),
        _file("recomputed_sessions", if_any="FROM recomputed_devices"),
        _file("sessions_of_old_lines", if_any="FROM old_lines"),
        _file("write_sessions", if_any="FROM new_sessions"),
        _file("close_sessions"),
        _file("stream_conversions", if_any="FROM in_conversions"),
        _file("recomputed_conversions", if_any="FROM recomputed_devices"),
        _file("write_touches", if_any="FROM new_conversions"),
        _file("conversions_of_old_lines", if_any="FROM old_lines"),
        _file("write_conversions", if_any="FROM new_conversions"),
        *_aggregates(connection),
        _file("ledger"),
        _file("missing_events_settled", if_any="FROM ledger WHERE missing_until IS NOT NULL"),
    ]


def _file(name: str, *, if_any: str | None = None) -> Step:
    return Step(name, dict(files("load"))[name], if_any)


def _aggregates(connection: duckdb.DuckDBPyConnection) -> list[Step]:
    steps = []
    for aggregate in AGGREGATES:
        described = connection.execute(f"DESCRIBE {aggregate.name}").fetchall()
        sources = {*aggregate.added, *aggregate.removed}
        steps.append(
            Step(
                aggregate.name,
                difference(aggregate, [row[0] for row in described]),
                " UNION ALL ".join(f"(SELECT 1 FROM {name})" for name in sorted(sources)),  # noqa: S608  # our own names
            )
        )
    return steps
