"""Compares ingest's clock, which dates events (T2), with the clocks of Kafka's brokers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# A difference of more seconds is logged.
MAX_DIFFERENCE = 60.0
COMPARE_EVERY = 1.0
# Brokers must agree with us for so long before the difference counts as gone.
AGREED_SECONDS = 60.0


class ClockWatch:
    """Compares the append times in Kafka's acknowledgements; logs when the clocks differ.

    `clock` gives epoch seconds, `monotonic` seconds.
    """

    def __init__(
        self, clock: Callable[[], float], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._due = monotonic()
        self._off_at = 0.0
        self.ahead: float | None = None
        """Seconds by which ours is ahead; negative if behind; None before the first comparison."""

    @property
    def is_off(self) -> bool:
        """Whether the clocks differ by more than a minute."""
        return self.ahead is not None and abs(self.ahead) > MAX_DIFFERENCE

    def compare(self, appended_at: float, *, since: float) -> None:
        """A record sent at `since` (monotonic) was appended at `appended_at` (epoch s).

        It was appended between then and now: a difference within that time counts as none.
        """
        latest = self._clock() - appended_at
        # Read second: a pause between the two widens the range instead of moving it.
        at = self._monotonic()
        if at < self._due:
            return
        self._due = at + COMPARE_EVERY
        earliest = latest - (at - since)
        ahead = earliest if earliest > 0 else min(latest, 0.0)
        was_off = self.is_off
        if abs(ahead) > MAX_DIFFERENCE:
            self._off_at = at
        elif was_off and at - self._off_at <= AGREED_SECONDS:
            return  # one of several brokers may be wrong: wait until none is
        self.ahead = ahead
        if self.is_off and not was_off:
            log.error("%s: one of them is wrong; events are dated by ingest's clock", self)
        elif was_off and not self.is_off:
            log.info("%s again", self)

    def __str__(self) -> str:
        if self.ahead is None:
            return "not compared with Kafka's clock yet"
        if not self.is_off:
            return "ingest's clock agrees with Kafka's"
        way = "ahead of" if self.ahead > 0 else "behind"
        return f"ingest's clock is {abs(self.ahead):.0f} s {way} Kafka's"
