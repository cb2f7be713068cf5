"""Parses a connection's bytes into requests, within limits; httptools (llhttp) does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

import httptools

from pipeline.bounded_cache import remembered
from pipeline.http.exchange import Exchange, Handler
from pipeline.http.limits import OVERHEAD, BodyBudget, Limits
from pipeline.http.response import (
    LONG_HEAD,
    MALFORMED,
    NO_HOST,
    OVERLOADED,
    REPEATED,
    UNAVAILABLE,
    Response,
    too_large,
)

if TYPE_CHECKING:
    from pipeline.http.connection import Connection

# llhttp has no limit of its own; a browser's cookies may be long.
MAX_HEAD_BYTES = 32 * 1024
# Read of every head, beside what the handler reads; each may occur once.
OWN = frozenset({"content-length", "transfer-encoding", "expect", "host"})


class ServerContext:
    """What all connections of a server share."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.handler = handler
        self.limits = limits
        # By their lower-case bytes.
        self.reads = {name.encode(): name for name in OWN | handler.reads}
        self.once = OWN | handler.once
        self.too_large = too_large(limits.max_body_bytes)
        self.bodies = BodyBudget(limits.max_bodies_bytes)
        self.is_draining = False
        """Whether each response ends its connection."""


class _Stopped(Exception):  # noqa: N818  # it only stops the parser
    """Nothing more is read."""


class Reader:
    """Reads one request after the other."""

    def __init__(self, context: ServerContext, owner: Connection) -> None:
        self._context = context
        self._owner = owner
        self._parser = httptools.HttpRequestParser(self)
        self.current: Exchange | None = None
        """The request whose head or body is being read."""
        self.has_progressed = False
        """Set when a request begins, or its head or body is complete."""
        self.is_ended = False
        """Whether the rest is dropped unread."""
        self._refusal: Response | None = None
        self._upgrade_body: bytes | None = None
        self._is_in_head = False
        self._is_ambiguous = False
        self._url = b""
        self._head_bytes = 0
        self._body: bytes | bytearray = b""
        # Of heads, chunk lines and empty lines since the last complete head or part of a body.
        self._unparsed_bytes = 0

    def feed(self, data: bytes) -> Response | None:
        """Read `data`; the response to what cannot be read, after which nothing more is."""
        self._unparsed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._upgrade_body is not None:
                return self._feed_body(self._upgrade_body, data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            if self._refusal is None and not self.is_ended:
                raise  # our own bug: the loop logs it and closes the connection
            return self._refusal
        except httptools.HttpParserError:
            return None if self.is_ended else MALFORMED
        return LONG_HEAD if self._unparsed_bytes > MAX_HEAD_BYTES and not self.is_ended else None

    def _feed_body(self, length: bytes, data: bytes) -> Response | None:
        """Read the body of a request with `Upgrade`, where llhttp stops.

        Java's client sends `Upgrade: h2c` with its first request without TLS. We ignore it, and
        close the connection after the response.
        """
        self._upgrade_body = None
        self._parser = httptools.HttpRequestParser(_BodyReader(self))
        self._unparsed_bytes = 0
        return self.feed(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % length + data)

    def end(self) -> Exchange | None:
        """Nothing more comes: forget the incomplete request, and return it."""
        self.is_ended = True
        unfinished, self.current = self.current, None
        if unfinished is not None:
            self._forget(unfinished)
        return unfinished

    def close(self) -> None:
        """Break the reference cycles."""
        self.end()
        del self._parser, self._owner

    # What the parser calls

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self.is_ended:
            raise _Stopped
        self.current = self._owner.open_exchange()
        self.has_progressed = True
        self._is_in_head = True
        self._is_ambiguous = False
        self._url = b""
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of it."""
        self._count(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line, also of a trailer, which is ignored."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        known = self._context.reads.get(name.lower())
        if known is not None and self._is_in_head:
            headers = self._read().headers
            if known in headers and known in self._context.once:
                self._is_ambiguous = True
            headers[known] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is complete."""
        exchange, parser = self._read(), self._parser
        self.has_progressed = True
        self._is_in_head = False
        self._unparsed_bytes = 0
        if not exchange.has_room(OVERHEAD + self._head_bytes):
            self._stop(OVERLOADED)
        if self._is_ambiguous:
            self._stop(REPEATED)
        if parser.get_http_version() == "1.0":
            exchange.headers.pop("expect", None)
        elif "host" not in exchange.headers:
            self._stop(NO_HOST)
        exchange.method = parser.get_method().decode()
        exchange.path, exchange.query = target_of(self._url)
        exchange.keeps_alive = parser.should_keep_alive()
        if parser.should_upgrade():
            exchange.keeps_alive = False
            self._upgrade_body = length_of(exchange.headers)
        self._owner.begin(exchange)

    def on_body(self, data: bytes) -> None:
        """A part of it."""
        self._unparsed_bytes = 0
        exchange = self._read()
        if exchange.out is not None or exchange.refusal is not None:
            return
        if not exchange.has_room(len(data)):
            self._drop(exchange, UNAVAILABLE)
            return
        if exchange.out is not None or exchange.refusal is not None:
            exchange.free()  # it was the one that was evicted
            return
        if not self._body:
            self._body = data
            self._context.bodies.arriving[self] = None
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        if len(self._body) > self._context.limits.max_body_bytes:
            self._drop(exchange, self._context.too_large)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._upgrade_body is not None:
            return
        exchange = self._read()
        self.current = None
        self.has_progressed = True
        self.is_ended = self.is_ended or not exchange.keeps_alive
        self._unparsed_bytes = 0
        body, self._body = self._body, b""
        self._context.bodies.arriving.pop(self, None)
        self._owner.take(exchange, bytes(body))

    def evict(self) -> None:
        """Refuse the body that is arriving, to make room for another."""
        self._drop(self._read(), UNAVAILABLE)

    def _drop(self, exchange: Exchange, answer: Response) -> None:
        """Respond, and discard the rest of its body.

        The connection stays open: a client that is still sending would not see the response.
        """
        self._forget(exchange)
        if exchange.is_begun:
            exchange.reply(answer)
        else:
            exchange.refusal = answer

    def _forget(self, exchange: Exchange) -> None:
        """Discard its body."""
        self._body = b""
        self._context.bodies.arriving.pop(self, None)
        exchange.free()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(LONG_HEAD)

    def _stop(self, answer: Response) -> NoReturn:
        """Read nothing more, and respond with `answer`."""
        self._refusal = answer
        raise _Stopped

    def _read(self) -> Exchange:
        if self.current is None:
            raise _Stopped
        return self.current


class _BodyReader:
    """Passes a reader the body alone."""

    def __init__(self, reader: Reader) -> None:
        self.on_header = reader.on_header
        self.on_body = reader.on_body
        self.on_message_complete = reader.on_message_complete


def length_of(headers: Mapping[str, str]) -> bytes | None:
    """The header that says where the body ends; None where there is no body."""
    for name in ("transfer-encoding", "content-length"):
        value = headers.get(name, "0")
        if value != "0":
            return f"{name}: {value}".encode("latin-1")
    return None


# A store's pages use few; a stranger's may be as long as a head.
@remembered(most=256, longest=1024)
def target_of(url: bytes) -> tuple[str, bytes]:
    """The path, unquoted, and the query."""
    path: bytes
    if url.startswith(b"/"):
        path, _, query = url.partition(b"#")[0].partition(b"?")
    else:
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            path, query = url, b""
        else:
            path, query = parsed.path or b"/", parsed.query or b""
    return unquote(path.decode("latin-1")), query
