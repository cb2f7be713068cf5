"""What came from outside, as text for a terminal or a log: it moves no cursor, it hides nothing."""

from __future__ import annotations

import logging
import re

import msgspec

# C0 and C1 controls (an escape sequence begins with one), what turns the direction of a line
# round or ends it, and halves of a pair, which no terminal's encoding can write. A tab stays.
_REPLACED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """`text` in one line, each character that a terminal would obey shown as U+FFFD."""
    return _REPLACED.sub("\ufffd", text)


def escaped(text: str) -> str:
    """`text` in printable letters, each other one as an escape of JSON."""
    return _REPLACED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable_lines(text: str) -> str:
    """The same, where `text` may have several lines."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(content: object) -> bytes:
    """`content` as JSON, the same to a program: a terminal that it is shown on obeys nothing."""
    text = msgspec.json.encode(content).decode()
    # They stand in strings alone, where an escape says the same.
    return escaped(text).encode()


class PrintableFormatter(logging.Formatter):
    """Log lines of which every one is printable; a record's own line ends stay."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, a traceback's among them."""
        return printable_lines(super().format(record))
