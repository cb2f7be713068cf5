"""Responses: values whose bytes are made once."""

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
    """A status, body and headers; `is_last`: it ends the connection."""

    __slots__ = ("body", "head", "is_last", "status")

    def __init__(
        self, status: int, body: bytes = b"", headers: Headers = (), *, is_last: bool = False
    ) -> None:
        self.status = status
        self.body = body
        self.is_last = is_last
        own = [*headers]
        # A 204 has neither body nor length.
        if status != HTTPStatus.NO_CONTENT:
            own.append((b"content-length", b"%d" % len(body)))
        phrase = HTTPStatus(status).phrase.encode()
        self.head = b"HTTP/1.1 %d %b\r\n%b" % (status, phrase, lines_of(own))
        """The status line and the headers, each with its line end."""


def lines_of(headers: Headers | list[tuple[bytes, bytes]]) -> bytes:
    """Headers as bytes."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def error_response(
    status: int, error: str, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Response:
    """A JSON response with the reason."""
    return json_response(status, {"error": error}, *headers, is_last=is_last)


def json_response(
    status: int, content: object, *headers: tuple[bytes, bytes], is_last: bool = False
) -> Response:
    """A JSON response."""
    return Response(status, printable_json(content), (JSON, *headers), is_last=is_last)


def too_large(limit: int) -> Response:
    """For a body over `limit` bytes, compressed or not."""
    return error_response(413, f"The body is over {limit} bytes")


def date_line() -> bytes:
    """The Date header."""
    return _date_line(int(time.time()))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return lines_of([(b"date", formatdate(second, usegmt=True).encode())])


UNAVAILABLE = error_response(503, "Try again", RETRY)
UNEXPECTED = error_response(417, "Expect may be 100-continue")

# These end the connection.
MALFORMED = error_response(400, "Not a request", is_last=True)
NO_HOST = error_response(400, "Host is required", is_last=True)
REPEATED = error_response(400, "A header that may stand once stands twice", is_last=True)
TIMED_OUT = error_response(408, "The request took too long", is_last=True)
LONG_HEAD = error_response(431, "The head is too long", is_last=True)
FAILED = error_response(500, "It failed here", is_last=True)
# At the limit of connections or memory.
OVERLOADED = error_response(503, "Try again", RETRY, is_last=True)
# The process is stopping.
STOPPING = error_response(503, "Try again", RETRY, is_last=True)
