"""Which thread an uncaught error has ended."""

from __future__ import annotations

import threading


def in_thread(ended: threading.ExceptHookArgs) -> str:
    """A line: the thread's name, and its error."""
    name = ended.thread.name if ended.thread else "?"
    return f"thread {name}: {ended.exc_type.__name__}: {ended.exc_value}"
