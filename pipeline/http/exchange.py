"""One request and its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.http.limits import BodyBudget
from pipeline.http.response import Response, date_line

CLOSE = b"connection: close\r\n"


class Exchange:
    """A request as far as it was read, and its response once there is one.

    `headers` are those that the handler reads. `method`, `path` (unquoted) and `query` are empty
    until the head is complete.
    """

    __slots__ = (
        *(
            "_flush",
            "extra_headers",
            "body",
            "headers",
            "is_begun",
            "is_last",
            "keeps_alive",
            "method",
        ),
        *("_bodies", "out", "path", "query", "refusal", "on_body", "on_response", "weight"),
    )

    def __init__(self, flush: Callable[[], None], bodies: BodyBudget) -> None:
        self._flush = flush
        self._bodies = bodies
        self.weight = 0
        """Its bytes in memory."""
        self.headers: dict[str, str] = {}
        self.method = ""
        self.path = ""
        self.query = b""
        self.is_begun = False
        """Whether the handler has it; until then it waits for the response before it."""
        self.body: bytes | None = None
        """Its complete body, while it waits."""
        self.refusal: Response | None = None
        """Its response, where its body could not be read while it waited."""
        self.on_body: OnBody | None = None
        self.extra_headers = b""
        """Header lines of any response to it."""
        self.on_response: OnResponse | None = None
        self.keeps_alive = False
        """Whether its connection takes another request."""
        self.is_last = False
        """Whether its response ends the connection, even while its body is still being sent."""
        self.out: bytes | None = None
        """The bytes of its response."""

    def has_room(self, size: int) -> bool:
        """Whether `size` more bytes of it may stay in memory until its response."""
        return self._bodies.has_room(self, size)

    def free(self) -> None:
        """Count none of its bytes any more."""
        self._bodies.free(self)

    def reply(self, answer: Response) -> None:
        """Respond. A second response is dropped: the first was a timeout or a refusal."""
        if self.out is not None:
            return
        self.free()
        if answer.is_last:
            self.is_last = True
            self.keeps_alive = False
        end = b"" if self.keeps_alive else CLOSE
        body = b"" if self.method == "HEAD" else answer.body
        self.out = b"%b%b%b%b\r\n%b" % (answer.head, date_line(), self.extra_headers, end, body)
        if self.on_response is not None:
            self.on_response(self, answer)
        self._flush()


# Both get the exchange as an argument: one that held it would form a reference cycle.
OnBody = Callable[[Exchange, bytes], None]
"""Gets the complete body, as it was sent."""
OnResponse = Callable[[Exchange, Response], None]
"""Called with the response, also with that of a timeout or a refusal."""


class Handler(Protocol):
    """Answers requests. An exception is logged and answered 500."""

    @property
    def reads(self) -> frozenset[str]:
        """The headers that it reads, in lower case; it gets no others."""

    @property
    def once(self) -> frozenset[str]:
        """Those of them that a head may have only once."""

    def begin(self, exchange: Exchange) -> OnBody | None:
        """The head is complete: return what takes the body, or None after a response."""

    def refused(self, answer: Response) -> None:
        """Count the response to what was not a request."""
