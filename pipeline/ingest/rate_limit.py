"""Rate limits: a token bucket per store. The caller passes the time."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """Requests per second in the long run, and at once; 0 a second: no limit; None: not said."""

    per_second: float | None = None
    burst: float | None = None


NO_RATE = Rate()


class RateLimiter:
    """The buckets of all stores, by store id. They outlive a change of the stores' file."""

    def __init__(self, default: Rate) -> None:
        self._default = default
        # Per store: what is left, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, store_id: str, rate: Rate, *, now: float) -> float:
        """0 where a request may pass, which it takes from the bucket; else seconds to wait.

        `now` in seconds of any clock that does not run back; should it, nothing is refilled.
        """
        default = self._default
        per_second = default.per_second if rate.per_second is None else rate.per_second
        if not per_second:
            return 0.0
        burst = default.burst if rate.burst is None else rate.burst
        # Less than one whole request would let nothing pass, ever.
        most = max(burst or 0.0, 1.0)
        left, then = self._left.get(store_id, (most, now))
        left = min(most, left + max(0.0, now - then) * per_second)
        passes = left >= 1
        self._left[store_id] = (left - 1 if passes else left, max(now, then))
        return 0.0 if passes else (1 - left) / per_second


def retry_after(seconds: float) -> bytes:
    """For the header: whole seconds, at least one."""
    return b"%d" % max(1, math.ceil(seconds))
