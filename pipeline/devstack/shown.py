"""What `up` writes: its own words, and the lines of its processes."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from pipeline.devstack.process import Show
from pipeline.process.log_lines import LogLines, is_log_line


def lines_shown(*, as_json: bool) -> Show:
    """Writes lines of processes: under their names, or as JSON lines, which have the name."""

    def show(name: str, text: str) -> None:
        line = f"{name:<9} {text}"
        if as_json:
            record = logging.LogRecord(name, logging.INFO, "", 0, "%s", (text,), None)
            line = text if is_log_line(text) else LogLines(process=name).format(record)
        # One write: lines come from many threads. A closed terminal must not stop the readers.
        with suppress(OSError):
            sys.stderr.write(f"{line}\n")

    return show


def print_now(text: str) -> None:
    """Print `text`, also where the output is a file or a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
