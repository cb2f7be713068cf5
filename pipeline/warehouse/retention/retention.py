"""Decides when what goes: a day at a time, between the loader's transactions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb

from pipeline.warehouse.cause import cause
from pipeline.warehouse.retention import arrivals, derived, events
from pipeline.warehouse.retention.terms import Terms

log = logging.getLogger(__name__)

INTERVAL = timedelta(minutes=1)
# A step is followed by so many times its own duration without one.
REST = 10


class Retention:
    """Lets one day of rows go at a time, each in a transaction of its own.

    A process that is killed leaves a day whole or gone, and the next one goes on. `folder` is that
    of the archive; `unnamed` takes the names of files that it no longer holds.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        terms: Terms,
        *,
        partitions: int,
        folder: Path,
        unnamed: Callable[[Iterable[str]], None],
        interval: timedelta = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval.total_seconds()
        self._clock = clock
        self._rests_until = float("-inf")
        self._error = ""
        by_arrival = {"duplicates": terms.duplicates, "rejected_events": terms.rejected}
        self._expiries: list[Callable[[], bool]] = [
            partial(arrivals.expire, connection, table, term)
            for table, term in by_arrival.items()
            if term
        ]
        if terms.derived:
            self._expiries.append(
                partial(derived.expire, connection, terms.derived, partitions=partitions)
            )
        if terms.events:
            self._expiries.append(
                partial(events.expire, connection, terms.events, folder=folder, unnamed=unnamed)
            )

    def step(self) -> bool:
        """Let the next day go; True when one went. To be called between two transactions.

        A full disk is logged, and the rows stay until the next look. Raises duckdb.Error when the
        database itself has failed.
        """
        began = self._clock()
        if began < self._rests_until:
            return False
        self._rests_until = began + self._interval
        try:
            has_gone = any(expire() for expire in self._expiries)
        except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
            reason = cause(error)
            if reason != self._error:  # once, not each interval
                log.error("nothing expires: %s", reason)  # noqa: TRY400  # one line
            self._error = reason
            return False
        self._error = ""
        if has_gone:
            now = self._clock()
            self._rests_until = now + REST * (now - began)
        return has_gone
