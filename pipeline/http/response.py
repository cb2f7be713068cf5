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


class Response:
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


def error_response(
    status: int, error: str, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Response:
    """An answer that says why not."""
    return json_response(status, {"error": error}, *headers, is_last=is_last)


def json_response(
    status: int, content: object, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Response:
    """An answer in JSON."""
    return Response(status, printable_json(content), (JSON, *headers), is_last=is_last)


def too_large(limit: int) -> Response:
    """To a body over `limit` bytes, as sent or inflated."""
    return error_response(413, f"The body is over {limit} bytes")


def date_line() -> bytes:
    """The header that says when."""
    return _date_line(int(time.time()))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return lines_of([(b"date", formatdate(second, usegmt=True).encode())])


UNAVAILABLE = error_response(503, "Try again", RETRY)
UNEXPECTED = error_response(417, "Expect may be 100-continue")

# What ends a connection, whoever asks for what.
MALFORMED = error_response(400, "Not a request", is_last=True)
NO_HOST = error_response(400, "Host is required", is_last=True)
TWICE = error_response(400, "A header that may stand once stands twice", is_last=True)
LATE = error_response(408, "The request took too long", is_last=True)
LONG_HEAD = error_response(431, "The head is too long", is_last=True)
FAILED = error_response(500, "It failed here", is_last=True)
# There is no room: later, or elsewhere, there may be.
CROWDED = error_response(503, "Try again", RETRY, is_last=True)
# The process ends: another one will take it.
STOPPING = error_response(503, "Try again", RETRY, is_last=True)
