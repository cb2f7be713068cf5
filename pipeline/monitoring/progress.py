"""A line a minute on what a process has done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# A little more than that for which equal lines are held back.
INTERVAL = 61.0


class Progress:
    """Counts in the thread of the work. Says nothing while there is nothing to do."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._records = self._events = 0

    def add(self, *, records: int, events: int) -> None:
        """So many were done."""
        self._records += records
        self._events += events

    def tell(self, behind: float) -> None:
        """Log what was done in the last minute, if it is over; `behind` records wait."""
        now = self._clock()
        if now - self._since < INTERVAL:
            return
        if self._records or behind:
            log.info(
                "in the last minute %d records with %d events; %d records wait",
                *(self._records, self._events, behind),
            )
        self._since, self._records, self._events = now, 0, 0
