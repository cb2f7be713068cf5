"""Bounds on time that let DuckDB skip what a statement cannot need.

DuckDB skips row groups by literals alone: not for a join, nor for bounds that a query computes from
two tables. So the bounds of each transaction become macros of literals, with several ranges, of
which one far away does not make the others wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import duckdb

# Each range is compared with each row of what is read; a row group of events holds minutes.
MOST = 20
CLOSE = 60 * 60 * 1000

# In ms since 1970: Python has no time before the year 1, and an event may be of that year.
Range = tuple[int, int]


@dataclass(frozen=True)
class Near:
    """The macro `<name>(t)`: whether `t` is in a range of `spans`, a query of (since, until).

    `t` is of `type`, TIMESTAMP or DATE; ranges of dates are of whole days.
    """

    name: str
    spans: str
    type: str = "TIMESTAMP"

    def define(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the macro for the rows that `spans` has now. Without rows it is false."""
        tests = [
            f"t BETWEEN {_literal(since, self.type)} AND {_literal(until, self.type)}"
            for since, until in joined(_found(connection, self.spans))
        ]
        _create(connection, f"{self.name}(t)", " OR ".join(tests))


@dataclass(frozen=True)
class Overlapping:
    """The macro `<name>(start, finish)`: whether that span may overlap one of `spans`, a query."""

    name: str
    spans: str

    def define(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the macro for the rows that `spans` has now. Without rows it is false."""
        found, test = _found(connection, self.spans), ""
        if found:
            # An OR of tests on two columns would skip nothing.
            first, last = min(since for since, _ in found), max(until for _, until in found)
            test = f"finish >= {_literal(first)} AND start <= {_literal(last)}"
        _create(connection, f"{self.name}(start, finish)", test)


def _found(connection: duckdb.DuckDBPyConnection, spans: str) -> list[Range]:
    return connection.execute(f"""
        SELECT min(epoch_ms(since)), max(epoch_ms(until))
        FROM ({spans}) AS spans(since, until)
        WHERE since IS NOT NULL
        GROUP BY epoch_ms(since) // {CLOSE}
    """).fetchall()  # noqa: S608  # our own


def _literal(at: int, kind: str = "TIMESTAMP") -> str:
    return f"CAST(make_timestamp({at * 1000}) AS {kind})"


def _create(connection: duckdb.DuckDBPyConnection, signature: str, test: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP MACRO {signature} AS ({test or 'false'})")


def joined(ranges: list[Range], *, most: int = MOST, close: int = CLOSE) -> list[Range]:
    """Ranges that cover `ranges`, in order: at most `most`, and none closer than `close` ms."""
    found: list[Range] = []
    for since, until in sorted(ranges):
        if found and since - found[-1][1] <= close:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    if len(found) <= most:
        return found
    gaps = sorted(after[0] - before[1] for before, after in pairwise(found))
    # The widest gaps stay.
    return joined(found, most=len(found), close=gaps[len(found) - most - 1])
