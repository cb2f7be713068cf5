"""Whether the work of a process still comes round."""

from __future__ import annotations

import time
from collections.abc import Callable

# Longer than a slow transaction or a checkpoint: seconds.
STALLED_AFTER = 60.0


class Heartbeat:
    """`beat` is called by the work, again and again; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """It has come round."""
        self._last = self._clock()

    def seconds(self) -> float:
        """Since it last did."""
        return max(0.0, self._clock() - self._last)

    @property
    def is_stalled(self) -> bool:
        """Whether that is too long ago."""
        return self.seconds() > STALLED_AFTER
