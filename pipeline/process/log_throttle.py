"""A log that says each thing once a minute, however often a library repeats it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable

QUIET_SECONDS = 60.0
# Kinds that are remembered; all of them are forgotten together.
MOST_KINDS = 1000
_NUMBER = re.compile(r"\d+")


class Seldom(logging.Filter):
    """Lets a record pass if none like it did in the last minute; it then `repeats` those held back.

    Nothing is written late: what is held back is told by the next one like it, or never. A line of
    the past behind one of a change would say that the change was undone.

    A connection that broke is one line, without the traceback.

    Alike are records of one logger and level whose texts differ in nothing but numbers. The logger
    `but_for` is never held back.
    """

    def __init__(self, clock: Callable[[], float], *, but_for: str) -> None:
        super().__init__()
        self._clock = clock
        self._but_for = but_for
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        if record.name == self._but_for:
            return True
        text = record.getMessage()
        kind = (record.name, record.levelno, _NUMBER.sub("0", text)[:500])
        now = self._clock()
        with self._lock:
            since, held_back = self._kinds.get(kind, (None, 0))
            if since is not None and now - since < QUIET_SECONDS:
                self._kinds[kind] = since, held_back + 1
                return False
            if len(self._kinds) >= MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = now, 0
        if held_back:
            record.repeats = held_back
            text += f" (and {held_back} times before)"
        error = record.exc_info and record.exc_info[1]
        if isinstance(error, OSError):
            # That a connection broke is no fault of the code that noticed it.
            text += f": {error}"
            record.exc_info = None
        record.msg, record.args = text, ()
        return True
