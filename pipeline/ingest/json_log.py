"""The log: JSON, one line a problem and not one a request; nothing here ever sees a request.

A line that comes again within a minute is counted, and the count told once the minute is over.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TextIO

import msgspec

from pipeline.printable import printable_lines

QUIET = timedelta(minutes=1)
# Keys are messages before their values are put in: these are few, but must have a bound.
MOST_KEYS = 1000

Key = tuple[str, int, str]


@dataclass(slots=True)
class _Seen:
    since: float
    repeats: int
    last: logging.LogRecord


class Problems(logging.Handler):
    """Writes records to `stream` as JSON lines; call `tell_repeats` now and then."""

    def __init__(self, stream: TextIO | None = None, *, quiet: timedelta = QUIET) -> None:
        super().__init__()
        self._stream = stream or sys.stderr
        self._quiet = quiet.total_seconds()
        self._seen: dict[Key, _Seen] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, or count it where its like was written within the quiet time."""
        self.tell_repeats(record.created)
        key = (record.name, record.levelno, str(record.msg))
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) < MOST_KEYS:
                self._seen[key] = _Seen(record.created, 0, record)
            self._write(record)
        else:
            seen.repeats += 1
            seen.last = record

    def tell_repeats(self, now: float | None = None, *, all_of_them: bool = False) -> None:
        """Write a line, with a count, for each record that has come again in its quiet time."""
        with self.lock or nullcontext():
            at = time.time() if now is None else now
            for key, seen in list(self._seen.items()):
                if all_of_them or not 0 <= at - seen.since < self._quiet:
                    del self._seen[key]
                    if seen.repeats:
                        self._write(seen.last, repeats=seen.repeats)

    def close(self) -> None:
        """Tell what is counted, then end."""
        self.tell_repeats(all_of_them=True)
        super().close()

    def _write(self, record: logging.LogRecord, **more: int) -> None:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": printable_lines(record.getMessage().strip()),
            **more,
        }
        if record.exc_info:
            line["traceback"] = printable_lines(
                logging.Formatter().formatException(record.exc_info)
            )
        try:
            self._stream.write(msgspec.json.encode(line).decode() + "\n")
            self._stream.flush()
        except OSError:
            self.handleError(record)


def log_problems() -> Problems:
    """From now on all loggers of this process, asyncio's too, write such lines."""
    problems = Problems()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(problems)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    return problems
