"""How a process has died, and when it is started again: after pauses that grow with its deaths."""

from __future__ import annotations

import signal
from collections.abc import Sequence

# Seconds before the next start, by the number of deaths in a row; the last stands for all beyond.
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A process that ran this many seconds was healthy: its next death counts as the first.
WELL_AFTER = 60.0


def ending(code: int) -> str:
    """What `code`, as `subprocess` or a shell gives it, says of the end."""
    # A shell adds 128, and so does what watches over Kafka.
    number = -code if code < 0 else code - 128
    if number <= 0:
        return f"ended with code {code}"
    why = " (as Linux does where memory runs out)" if number == signal.SIGKILL else ""
    return f"was killed by signal {number}{why}"


def deaths_in_a_row(before: int, *, ran: float) -> int:
    """With the death of a process that ran for `ran` seconds, after `before` deaths."""
    return 1 if ran > WELL_AFTER else before + 1


def pause_after(deaths: int, pauses: Sequence[float] = PAUSES) -> float:
    """Seconds until the next start, after at least one death."""
    return pauses[min(deaths, len(pauses)) - 1]
