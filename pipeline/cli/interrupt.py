"""How a Ctrl-C ends a verb. Until the verb is loaded, the system's own way is in force."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

# What a shell says of a program that a Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT
# A library that is interrupted may say so by an error of its own, as DuckDB does.
has_come = threading.Event()


def tidy_up_from_now_on() -> None:
    """Let a Ctrl-C leave by an exception, where `pipeline.__main__` has left it to the system."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, end)


def end(_number: int, _frame: FrameType | None) -> None:
    """Leave by SystemExit."""
    # Not KeyboardInterrupt, which click makes a 1 of. What is to be tidied up, is.
    has_come.set()
    sys.exit(INTERRUPTED)
