"""What a server says: values, made once, whose bytes are ready."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from pipeline.printable import printable_json

Headers = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")
RETRY = (b"retry-after", b"1")


class Answer:
    """A status, what is said with it, and headers of its own; `is_last`: the connection ends."""

    __slots__ = ("body", "head", "is_last", "status")

    def __init__(
        self, status: int, body: bytes = b"", headers: Headers = (), *, is_last: bool = False
    ) -> None:
        self.status = status
        self.body = body
        self.is_last = is_last
        own = [*headers]
        # A 204 has no body, and so no length of it.
        if status != HTTPStatus.NO_CONTENT:
            own.append((b"content-length", b"%d" % len(body)))
        phrase = HTTPStatus(status).phrase.encode()
        self.head = b"HTTP/1.1 %d %b\r\n%b" % (status, phrase, lines_of(own))
        """Its first line and its own headers, each with its end of line."""


def lines_of(headers: Headers | list[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def refusal(
    status: int, error: str, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Answer:
    """An answer that says why not."""
    return said(status, {"error": error}, *headers, is_last=is_last)


def said(
    status: int, content: object, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Answer:
    """An answer in JSON."""
    return Answer(status, printable_json(content), (JSON, *headers), is_last=is_last)


def too_large(limit: int) -> Answer:
    """To a body over `limit` bytes, as sent or inflated."""
    return refusal(413, f"The body is over {limit} bytes")


def date_line() -> bytes:
    """The header that says when."""
    return _date_line(int(time.time()))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return lines_of([(b"date", formatdate(second, usegmt=True).encode())])


UNAVAILABLE = refusal(503, "Try again", RETRY)
UNEXPECTED = refusal(417, "Expect may be 100-continue")

# What ends a connection, whoever asks for what.
MALFORMED = refusal(400, "Not a request", is_last=True)
NO_HOST = refusal(400, "Host is required", is_last=True)
TWICE = refusal(400, "A header that may stand once stands twice", is_last=True)
LATE = refusal(408, "The request took too long", is_last=True)
LONG_HEAD = refusal(431, "The head is too long", is_last=True)
FAILED = refusal(500, "It failed here", is_last=True)
# There is no room: later, or elsewhere, there may be.
CROWDED = refusal(503, "Try again", RETRY, is_last=True)
# The process ends: another one will take it.
STOPPING = refusal(503, "Try again", RETRY, is_last=True)
