"""What Ctrl-C does once a command is loaded; until then the system's default applies."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

# A shell's exit code for a program ended by Ctrl-C.
INTERRUPTED = 128 + signal.SIGINT
# Set by Ctrl-C: an interrupted library may raise an error of its own, as DuckDB does.
interrupted = threading.Event()


def exit_by_exception() -> None:
    """Make Ctrl-C raise SystemExit, so that cleanup runs, unless it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, exit_on_signal)


def exit_on_signal(_number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit."""
    # Not KeyboardInterrupt: click turns that into exit code 1.
    interrupted.set()
    sys.exit(INTERRUPTED)
