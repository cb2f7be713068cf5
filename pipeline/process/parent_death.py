"""A process that does not outlive the one that started it; the standard library is all it needs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Found before any fork: a child of a process with threads may not look for libraries.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def signal_at_its_death(number: int) -> None:
    """Have the kernel send us signal `number` when the parent's thread ends (Linux); 0: none."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number)


def end_with(parent: int) -> None:
    """In a child before its exec: end it when `parent`, or the thread that forked it, has ended."""
    # The kernel ends a child whose supervisor was killed (Linux). Not by SIGTERM: Kafka may be gone
    # before it, so an orderly end could wait for ever; and any process may die at any moment.
    signal_at_its_death(signal.SIGKILL)
    # The supervisor may have been killed between the fork and the line above.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
