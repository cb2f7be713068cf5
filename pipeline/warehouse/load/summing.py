"""Adds closed sessions to the sums by day of blended counts and searches (decision 0046).

What a session comes to needs all of its events, so a transaction does not do it: between two of
them those that have closed are added, a bounded number at a time. A transaction that replaces such
a session takes it out again. What the sums lack, views read from events.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import duckdb

from pipeline.warehouse.aggregates import SUMS
from pipeline.warehouse.load.near import Near
from pipeline.warehouse.load.steps import Step, aggregate_steps, summed_events, summed_parts
from pipeline.warehouse.load.transaction import Transactions
from pipeline.warehouse.sql import files

# Sessions: half a second or so.
MOST = 20_000
# Where nobody waits, but memory has its limit.
AT_ONCE = 100_000
# After a session could be closed: most of what is late comes within it.
QUIET = timedelta(minutes=30)
INTERVAL = timedelta(seconds=10)
# It takes at most one part in so many of the time.
PARTS = 10


class Summing:
    """Moves the sums on, at most `most` sessions at a time."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        transactions: Transactions,
        *,
        most: int = MOST,
        quiet: timedelta = QUIET,
        interval: timedelta = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._transactions = transactions
        self._most, self._quiet = most, quiet
        self._interval = interval.total_seconds()
        self._clock = clock
        self._rests_until = float("-inf")
        text = dict(files("summing"))
        self._due = text["due"]
        spans = "SELECT started_at, started_at FROM unsummed_sessions"
        self._steps = [
            Step("late", text["late"], near=Near("near_unsummed_sessions", spans)),
            Step("ended", text["ended"]),
            Step("waiting", text["waiting"], ("summed_sessions",)),
            summed_events(),
            summed_parts(),
            *aggregate_steps(connection, SUMS),
        ]

    def step(self) -> bool:
        """Add some sessions, if it is time; whether any were added.

        To be called between two transactions. Raises duckdb.Error with the old state intact.
        """
        begun = self._clock()
        if begun < self._rests_until:
            return False
        try:
            return self.add()
        finally:
            self._rests_until = begun + max(self._interval, PARTS * (self._clock() - begun))

    def add(self) -> bool:
        """Add some sessions now; False if there are none that can be added."""
        connection = self._connection
        connection.execute("SET VARIABLE quiet = $quiet", {"quiet": self._quiet})
        connection.execute("SET VARIABLE most = $most", {"most": self._most})
        connection.execute(self._due)
        ((moves, waits),) = connection.execute(
            "SELECT getvariable('summed_next') IS NOT NULL, EXISTS (FROM unsummed_sessions)"
        ).fetchall()
        if not (moves or waits):
            return False
        # All that end next may be open.
        return "summed_sessions" in self._transactions.change(self._steps) or bool(moves)


def sum_all(connection: duckdb.DuckDBPyConnection, transactions: Transactions) -> None:
    """Add all that a loader would have added by now, where nobody waits."""
    summing = Summing(connection, transactions, most=AT_ONCE)
    while summing.add():
        pass
