"""Ingest's clock beside that of Kafka's brokers: the one says when an event came (T2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Seconds apart that are told.
MOST = 60.0
# How often they are compared, and for how long brokers must agree before it is told.
PAUSE = 1.0
AGREED = 60.0


class ClockWatch:
    """Compares the append times that Kafka acknowledges with; one log line where they part.

    `clock` gives epoch seconds, `monotonic` seconds.
    """

    def __init__(
        self, clock: Callable[[], float], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._due = monotonic()
        self._apart_at = 0.0
        self.ahead: float | None = None
        """Seconds by which ours is ahead; less than 0: behind; None: not compared yet."""

    @property
    def is_apart(self) -> bool:
        """Whether they are more than a minute apart."""
        return self.ahead is not None and abs(self.ahead) > MOST

    def saw(self, appended_at: float, *, since: float) -> None:
        """A record handed over at `since` (monotonic) was appended at `appended_at` (epoch s).

        It was appended some time between: what may be Kafka's slowness is taken for no difference.
        """
        at = self._monotonic()
        if at < self._due:
            return
        self._due = at + PAUSE
        latest = self._clock() - appended_at
        earliest = latest - (at - since)
        ahead = earliest if earliest > 0 else min(latest, 0.0)
        was_apart = self.is_apart
        if abs(ahead) > MOST:
            self._apart_at = at
        elif was_apart and at - self._apart_at <= AGREED:
            return  # of several brokers one may be wrong: then it is so until none is
        self.ahead = ahead
        if self.is_apart and not was_apart:
            log.error("%s: one of them is wrong; events are dated by ingest's", self)
        elif was_apart and not self.is_apart:
            log.info("%s again", self)

    def __str__(self) -> str:
        if self.ahead is None:
            return "not compared with Kafka's clock yet"
        if not self.is_apart:
            return "ingest's clock agrees with Kafka's"
        way = "ahead of" if self.ahead > 0 else "behind"
        return f"ingest's clock is {abs(self.ahead):.0f} s {way} Kafka's"
