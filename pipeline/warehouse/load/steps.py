"""What a transaction of the loader runs, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.warehouse.aggregates import AGGREGATES, SUMS, Aggregate, difference
from pipeline.warehouse.days import DAYS
from pipeline.warehouse.load.near import Near, Overlapping
from pipeline.warehouse.sql import files, inlined


@dataclass(frozen=True)
class Step:
    """Statements, skipped where nothing of `if_any` is there: they would change nothing.

    What can be there: tables that have got rows in this transaction, types of its events, and what
    `STANDING` finds. Anything of `unless` skips the step, too, and so does a `condition`, a
    relation, without rows. `near` is defined before the statements: the bounds of what they read.

    Planning a statement costs DuckDB a millisecond or more, also over empty tables.
    """

    name: str
    text: str
    if_any: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    condition: str = ""
    near: Near | Overlapping | None = None

    def may_change(self, there: set[str]) -> bool:
        """Whether to run it, by the names of what is `there`."""
        wanted = not self.if_any or not there.isdisjoint(self.if_any)
        return wanted and there.isdisjoint(self.unless)


# What of earlier transactions matters to one that has no such thing itself.
STANDING = """
    SELECT
        (SELECT count(*) FROM late_devices) AS late_devices,
        (SELECT count(*) FROM expired_orders) AS expired_orders,
        (SELECT count(missing_until) FROM ledger)
        + (SELECT count(dropped_until) FROM in_ledger)
        + (SELECT count(missing_until) FROM in_ledger ANTI JOIN ledger USING (partition))
        AS missing_events
"""


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
        _file("rejected_events", "in_rejected"),
        _file(
            "expired_events",
            "late_events",
            condition="in_events WHERE is_late AND NOT is_kept(occurred_at)",
        ),
        # A copy may have been moved by what a clock can run ahead (T3, D4).
        _file(
            "late_events",
            "late_events",
            near=_around("late_events", "in_events WHERE is_late", "occurred_at", 26 * 60),
        ),
        _file("facts", "in_events"),
        _file("duplicates", "in_duplicates"),
        _file("touches", "product_click"),
        *_order_lines(),
        _file("merged_devices", "late_events", "late_devices", "missing_events"),
        _file("merged_events", "merged_devices"),
        *_sessions(),
        *_conversions(),
        *no_longer_summed(connection),
        *aggregate_steps(connection, AGGREGATES),
        _file("late_devices", "merged_devices"),
        _file("forgotten_late_devices", "late_devices"),
        _file("ledger", "in_ledger"),
        _file("positions", "in_positions"),
        _file(
            "missing_events_settled",
            "missing_events",
            condition=f"{_MISSING} WHERE missing_until + greatest(gap, lookback) < {_HORIZON}",
            near=Near(
                "near_missing_events",
                f"SELECT min({_HORIZON} - gap), TIMESTAMP '9999-12-31' FROM {_MISSING}",  # noqa: S608
            ),
        ),
    ]


_MISSING, _HORIZON = "ledger CROSS JOIN rules", "stream_time - lateness"


def _order_lines() -> list[Step]:
    return [
        _file("order_reports", "purchase", "refund"),
        _file("reports_of_expired_orders", "expired_orders"),
        # An index of all orders, the one thing read whole: a number and a time a line.
        _file(
            "competing_lines",
            "order_reports",
            near=Near(
                "near_order_reports",
                """
                SELECT occurred_at, occurred_at FROM order_lines
                WHERE order_hash IN (SELECT order_hash_of(store_id, order_id) FROM order_reports)
                """,
            ),
        ),
        _file("competing_reports", "competing_lines"),
        _file("orders_to_confirm", "order_reports"),
        _file("settled_lines", "order_reports", unless=("orders_to_confirm",)),
        _file("confirmed_lines", "orders_to_confirm"),
        _file("changed_lines", "settled_lines"),
        _file("old_lines", "competing_lines"),
        _file("replaced_lines", "old_lines", near=_at("old_lines", "occurred_at")),
        _file("new_lines", "new_lines"),
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
        _file("stream_sessions", "in_sessions"),
        _file(
            "replaced_sessions",
            "in_sessions",
            near=Near("near_stream_sessions", f"SELECT *, * FROM ({stream})"),  # noqa: S608
        ),
        _file(
            "merged_sessions",
            "added_sessions",
            near=Overlapping("overlaps_added_sessions", added),
        ),
        _file(
            "sessions_of_old_lines",
            "old_lines",
            near=Overlapping("overlaps_old_lines", lines),
        ),
        _file(
            "write_sessions",
            "new_sessions",
            near=_at("old_sessions", "started_at"),
        ),
        _file("close_sessions", near=Near("near_closed_sessions", closing)),
    ]


def _conversions() -> list[Step]:
    touches = "SELECT touched_at, touched_at + lookback FROM recompute_touches('merged_events')"
    lookbacks = "SELECT occurred_at - lookback, occurred_at FROM affected_conversions"
    new = _at("new_conversions", "occurred_at")
    return [
        _file("stream_conversions", "in_conversions"),
        _file("new_conversions_of_merged", "merged_events"),
        _file(
            "restated_conversions",
            "merged_events",
            near=Near("near_merged_touches", f"{touches} CROSS JOIN rules"),
        ),
        _file(
            "merged_conversions",
            "affected_conversions",
            near=Near("near_lookbacks", f"{lookbacks} CROSS JOIN rules"),
        ),
        _file("conversions_without_lines", "expired_orders", near=new),
        _file("write_touches", "new_conversions", near=new),
        _file("conversions_of_old_lines", "old_lines"),
        Step("near conversions of old lines", "", ("old_lines",), near=new),
        _file("write_conversions", "new_conversions"),
    ]


def no_longer_summed(
    connection: duckdb.DuckDBPyConnection, *, erased: Step | None = None
) -> list[Step]:
    """Take the sessions that went out of the sums by day; those that came wait to be added.

    `erased` finds what has gone from the tables of events already.
    """
    return [
        _file("summed_sessions", "old_sessions"),
        _file("summed_again", "old_sessions", condition="unsummed_sessions"),
        _file("unsummed_sessions", "new_sessions"),
        summed_events(),
        *([erased] if erased else []),
        summed_parts(),
        *aggregate_steps(connection, [each.taken for each in SUMS]),
    ]


def summed_events() -> Step:
    """Finds the events and lines of `summed_sessions`."""
    spans = "SELECT started_at, ended_at FROM summed_sessions"
    return _file("summed_events", "summed_sessions", near=Near("near_summed_sessions", spans))


def summed_parts() -> Step:
    """What these come to, by the macros that read the tables of all."""
    text = inlined(dict(files("load"))["summed_parts"])
    for table in ("sessions", "events", "lines"):
        text = re.sub(rf"\b(?:order_)?{table}\b", f"summed_{table}", text)
    return Step("summed_parts", text, ("summed_sessions",))


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


def _file(
    name: str,
    *if_any: str,
    unless: tuple[str, ...] = (),
    condition: str = "",
    near: Near | Overlapping | None = None,
) -> Step:
    return Step(name, dict(files("load"))[name], if_any, unless, condition, near)


def aggregate_steps(
    connection: duckdb.DuckDBPyConnection, aggregates: Sequence[Aggregate]
) -> list[Step]:
    """The steps that add the difference of a transaction to each aggregate."""
    all_sources = sorted({name for each in aggregates for name in (*each.added, *each.removed)})
    days = " UNION ALL ".join(f"SELECT day FROM {name}" for name in all_sources)  # noqa: S608
    near = Near("near_days", f"SELECT day, day FROM ({days})", "DATE")  # noqa: S608  # our own
    steps = [Step("days", "", tuple(all_sources), near=near)]
    for aggregate in aggregates:
        described = connection.execute(f"DESCRIBE {aggregate.name}").fetchall()
        columns = [row[0] for row in described]
        if aggregate.added:
            added = difference(aggregate.only_added, columns)
            steps.append(Step(aggregate.name, added, aggregate.added, unless=aggregate.removed))
        if aggregate.removed:
            # Twice the statement takes twice the planning.
            steps.append(Step(aggregate.name, difference(aggregate, columns), aggregate.removed))
    return steps
