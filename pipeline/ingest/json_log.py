"""The log of ingest: lines about problems, never about requests.

A line that repeats within a minute is counted, and logged once more with the count.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

from pipeline.log_lines import LogLines, is_json

QUIET = timedelta(minutes=1)
# Keys are messages without their values: few, but they need a limit.
MOST_KEYS = 1000

Key = tuple[str, int, str]


@dataclass(slots=True)
class _Seen:
    since: float
    repeats: int
    last: logging.LogRecord


class Problems(logging.Handler):
    """Writes records to `stream` as `lines` makes them; call `write_repeats` now and then."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: timedelta = QUIET,
        lines: LogLines | None = None,
    ) -> None:
        super().__init__()
        self.setFormatter(lines or LogLines())
        self._stream = stream or sys.stderr
        self._quiet = quiet.total_seconds()
        self._seen: dict[Key, _Seen] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, or count it if one like it was written within the quiet time."""
        self.write_repeats(record.created)
        key = (record.name, record.levelno, str(record.msg))
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) < MOST_KEYS:
                self._seen[key] = _Seen(record.created, 0, record)
            self._write(record)
        else:
            seen.repeats += 1
            seen.last = record

    def write_repeats(self, now: float | None = None, *, every: bool = False) -> None:
        """Write a line with the count of each record that has repeated in its quiet time."""
        with self.lock or nullcontext():
            at = time.time() if now is None else now
            for key, seen in list(self._seen.items()):
                if every or not 0 <= at - seen.since < self._quiet:
                    del self._seen[key]
                    if seen.repeats:
                        self._write(seen.last, repeats=seen.repeats)

    def close(self) -> None:
        """Write all counts."""
        self.write_repeats(every=True)
        super().close()

    def _write(self, record: logging.LogRecord, **more: int) -> None:
        record.__dict__.update(more)
        try:
            self._stream.write(self.format(record) + "\n")
            self._stream.flush()
        except OSError:
            self.handleError(record)


def log_problems(log_format: str) -> Problems:
    """Make all loggers of this process, also asyncio's, write such lines, in that format."""
    as_json = is_json(log_format, sys.stderr)
    problems = Problems(lines=LogLines(is_json=as_json, process="ingest"))
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(problems)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    return problems
