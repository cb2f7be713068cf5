"""One request, and the one answer to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.http.limits import BodyBudget
from pipeline.http.response import Response, date_line

CLOSE = b"connection: close\r\n"


class Exchange:
    """A request as far as it is known, and its answer once there is one.

    `headers` are those that the handler reads; `method`, `path` (unquoted) and `query` are there
    once the head is whole.
    """

    __slots__ = (
        *("_answered", "also", "body", "headers", "is_begun", "is_last", "keeps_alive", "method"),
        *("_bodies", "out", "path", "query", "refusal", "take", "told", "weight"),
    )

    def __init__(self, answered: Callable[[], None], bodies: BodyBudget) -> None:
        self._answered = answered
        self._bodies = bodies
        self.weight = 0
        """Bytes that are held of it."""
        self.headers: dict[str, str] = {}
        self.method = ""
        self.path = ""
        self.query = b""
        self.is_begun = False
        """Whether it was handed over; before, it waits for its turn."""
        self.body: bytes | None = None
        """Its whole body, while it waits."""
        self.refusal: Response | None = None
        """What becomes of it, where the rest of it could not be read while it waits."""
        self.take: OnBody | None = None
        self.also = b""
        """Lines of headers that every answer to it has."""
        self.told: OnResponse | None = None
        self.keeps_alive = False
        """Whether another request may follow on its connection."""
        self.is_last = False
        """Whether the answer ends the connection, even while the body is still being sent."""
        self.out: bytes | None = None
        """The answer as it is sent."""

    def has_room(self, size: int) -> bool:
        """Whether `size` bytes more may be held of it until its answer."""
        return self._bodies.has_room(self, size)

    def free(self) -> None:
        """Nothing of it is held any more."""
        self._bodies.free(self)

    def reply(self, answer: Response) -> None:
        """Answer it. After the first answer there is no other: somebody had given it up."""
        if self.out is not None:
            return
        self.free()
        if answer.is_last:
            self.is_last = True
            self.keeps_alive = False
        end = b"" if self.keeps_alive else CLOSE
        body = b"" if self.method == "HEAD" else answer.body
        self.out = b"%b%b%b%b\r\n%b" % (answer.head, date_line(), self.also, end, body)
        if self.told is not None:
            self.told(self, answer)
        self._answered()


# Both are given the exchange, for one that held it would never be freed but by the collector.
OnBody = Callable[[Exchange, bytes], None]
"""Takes the whole body, as it was sent."""
OnResponse = Callable[[Exchange, Response], None]
"""Hears of the answer, whoever gives it."""


class Handler(Protocol):
    """What requests are handed to. What it raises is logged, and answered 500."""

    @property
    def reads(self) -> frozenset[str]:
        """The headers that it reads, in lower case; it is given no others."""

    @property
    def once(self) -> frozenset[str]:
        """Those of them that may stand once in a head."""

    def begin(self, exchange: Exchange) -> OnBody | None:
        """The head is whole: say what takes the body, or None where the answer needs none of it."""

    def refused(self, answer: Response) -> None:
        """What never became a request was answered so."""
