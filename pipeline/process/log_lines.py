"""A log line of a process: JSON for a collector, or plain text for a terminal, with its time."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from pipeline.printable import printable_lines


class LogLines(logging.Formatter):
    """`process` is the command that logs, `name` the worker's; a record may have `repeats`."""

    def __init__(self, *, is_json: bool = True, process: str = "", name: str = "") -> None:
        super().__init__()
        self._is_json = is_json
        named = {"process": process, "worker": name}
        self._named = {key: value for key, value in named.items() if value}

    def format(self, record: logging.LogRecord) -> str:
        """One line; as text, a traceback follows in more."""
        at = datetime.fromtimestamp(record.created, UTC)
        time = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = printable_lines(record.getMessage().strip())
        trace = printable_lines(self.formatException(record.exc_info)) if record.exc_info else ""
        if not self._is_json:
            return "\n".join(filter(None, [f"{time} {record.levelname} {message}", trace]))
        line: dict[str, object] = {"time": time, "level": record.levelname.lower(), **self._named}
        line |= {"logger": record.name, "message": message}
        if repeats := getattr(record, "repeats", 0):
            line["repeats"] = repeats
        if trace:
            line["traceback"] = trace
        return msgspec.json.encode(line).decode()


def is_json(log_format: str, stream: TextIO) -> bool:
    """Whether the setting means JSON lines for `stream`: `auto` does unless it is a terminal."""
    return log_format == "json" or (log_format == "auto" and not stream.isatty())


class _Line(msgspec.Struct):
    level: str
    message: str


_TEXT_NEWS = re.compile(r"\d{4}-\S+Z (INFO|DEBUG) ")
_decoder = msgspec.json.Decoder(_Line)


def is_log_line(line: str) -> bool:
    """Whether it is one of these JSON lines."""
    return message_of(line) != line


def is_news(line: str) -> bool:
    """Whether it is a log line that tells of no trouble, as JSON or as text."""
    return message_of(line).startswith(("INFO ", "DEBUG ")) or bool(_TEXT_NEWS.match(line))


def message_of(line: str) -> str:
    """The message of a JSON line, with its level; any other line as it is."""
    if line.startswith("{"):
        with suppress(msgspec.DecodeError):
            found = _decoder.decode(line)
            return f"{found.level.upper()} {found.message}"
    return line
