"""What a transaction of the loader runs, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.warehouse.aggregates import AGGREGATES, Aggregate, difference
from pipeline.warehouse.days import DAYS
from pipeline.warehouse.load.near import Near, Overlapping
from pipeline.warehouse.sql import files


@dataclass(frozen=True)
class Step:
    """Statements, skipped when none of the relations `if_any` has a row: they would change nothing.

    `near` is defined before them: the bounds of what they read.

    Planning a statement costs DuckDB a millisecond or more, also over empty tables.
    """

    name: str
    text: str
    if_any: tuple[str, ...] = ()
    near: Near | Overlapping | None = None


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
        _file("rejected_events", if_any="in_rejected"),
        # A copy may have been moved by what a clock can run ahead (T3, D4).
        _file(
            "late_events",
            if_any="in_events WHERE is_late",
            near=_around("late_events", "in_events WHERE is_late", "occurred_at", 26 * 60),
        ),
        _file("facts"),
        _file("touches", if_any="in_events WHERE event_type = 'product_click'"),
        *_order_lines(),
        _file("merged_devices", if_any="in_devices"),
        *_sessions(),
        *_conversions(),
        *aggregate_steps(connection, AGGREGATES),
        _file("late_devices", if_any="merged_devices"),
        _file("forgotten_late_devices", if_any="late_devices"),
        _file("ledger"),
        _file(
            "missing_events_settled",
            if_any=f"{_MISSING} WHERE missing_until + greatest(gap, lookback) < {_HORIZON}",
            near=Near(
                "near_missing_events",
                f"SELECT min({_HORIZON} - gap), TIMESTAMP '9999-12-31' FROM {_MISSING}",  # noqa: S608
            ),
        ),
    ]


_MISSING, _HORIZON = "ledger CROSS JOIN rules", "stream_time - lateness"


def _order_lines() -> list[Step]:
    return [
        _file("order_reports", if_any="in_events WHERE event_type IN ('purchase', 'refund')"),
        # An index of all orders, the one thing read whole: a number and a time a line.
        _file(
            "competing_lines",
            if_any="order_reports WHERE order_id IS NOT NULL",
            near=Near(
                "near_order_reports",
                """
                SELECT occurred_at, occurred_at FROM order_lines
                WHERE order_hash IN (SELECT order_hash_of(store_id, order_id) FROM order_reports)
                """,
            ),
        ),
        _file("settled_lines", if_any="order_reports"),
        _file("replaced_lines", if_any="old_lines", near=_at("old_lines", "occurred_at")),
        _file("new_lines", if_any="new_lines"),
    ]


def _sessions() -> list[Step]:
    stream = "SELECT started_at FROM new_sessions UNION ALL SELECT started_at FROM in_gone"
    added = "SELECT started_at - gap, ended_at + gap FROM added_sessions CROSS JOIN rules"
    lines = "SELECT occurred_at, occurred_at FROM old_lines"
    closing = """
        SELECT held.stream_time - gap, new.stream_time - gap
        FROM ledger AS held JOIN in_ledger AS new USING (partition) CROSS JOIN rules
    """
    return [
        _file("stream_sessions", if_any="in_sessions"),
        _file(
            "replaced_sessions",
            if_any="in_sessions",
            near=Near("near_stream_sessions", f"SELECT *, * FROM ({stream})"),  # noqa: S608
        ),
        _file(
            "merged_sessions",
            if_any="added_sessions",
            near=Overlapping("overlaps_added_sessions", added),
        ),
        _file(
            "sessions_of_old_lines",
            if_any="old_lines",
            near=Overlapping("overlaps_old_lines", lines),
        ),
        _file(
            "write_sessions",
            if_any="new_sessions",
            near=_at("old_sessions", "started_at"),
        ),
        _file("close_sessions", near=Near("near_closed_sessions", closing)),
    ]


def _conversions() -> list[Step]:
    touches = "SELECT touched_at, touched_at + lookback FROM recompute_touches('merged_events')"
    lookbacks = "SELECT occurred_at - lookback, occurred_at FROM affected_conversions"
    new = _at("new_conversions", "occurred_at")
    return [
        _file("stream_conversions", if_any="in_conversions"),
        _file("new_conversions_of_merged", if_any="merged_events"),
        _file(
            "restated_conversions",
            if_any="recompute_touches('merged_events')",
            near=Near("near_merged_touches", f"{touches} CROSS JOIN rules"),
        ),
        _file(
            "merged_conversions",
            if_any="affected_conversions",
            near=Near("near_lookbacks", f"{lookbacks} CROSS JOIN rules"),
        ),
        _file("write_touches", if_any="new_conversions", near=new),
        _file("conversions_of_old_lines", if_any="old_lines"),
        _file("write_conversions", if_any="new_conversions", near=new),
    ]


def _at(table: str, column: str) -> Near:
    """Near the times in `column` of `table`."""
    return Near(f"near_{table}", f"SELECT {column}, {column} FROM {table}")  # noqa: S608  # our own


def _around(name: str, rows: str, column: str, minutes: int) -> Near:
    """Within `minutes` of the times in `column` of `rows`."""
    span = f"INTERVAL {minutes} MINUTES"
    return Near(
        f"near_{name}",
        f"SELECT {column} - {span}, {column} + {span} FROM {rows}",  # noqa: S608  # our own
    )


def _file(name: str, *, if_any: str = "", near: Near | Overlapping | None = None) -> Step:
    return Step(name, dict(files("load"))[name], (if_any,) if if_any else (), near)


def aggregate_steps(
    connection: duckdb.DuckDBPyConnection, aggregates: Sequence[Aggregate]
) -> list[Step]:
    """The steps that add the difference of a transaction to each aggregate."""
    all_sources = sorted({name for each in aggregates for name in (*each.added, *each.removed)})
    days = " UNION ".join(f"SELECT day FROM {name}" for name in all_sources)  # noqa: S608
    near = Near("near_days", f"SELECT day, day FROM ({days})", "DATE")  # noqa: S608  # our own
    steps = [Step("days", "", near=near)]
    for aggregate in aggregates:
        described = connection.execute(f"DESCRIBE {aggregate.name}").fetchall()
        sources = tuple(sorted({*aggregate.added, *aggregate.removed}))
        text = difference(aggregate, [row[0] for row in described])
        steps.append(Step(aggregate.name, text, sources))
    return steps
