"""From a connection's bytes to requests, within bounds. llhttp reads, by way of httptools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

import httptools

from pipeline.bounded_cache import remembered
from pipeline.http.exchange import Exchange, Handler
from pipeline.http.limits import EACH, BodyBudget, Limits
from pipeline.http.response import (
    CROWDED,
    LONG_HEAD,
    MALFORMED,
    NO_HOST,
    TWICE,
    UNAVAILABLE,
    Response,
    too_large,
)

if TYPE_CHECKING:
    from pipeline.http.connection import Connection

# The parser itself would take a header of any length; a browser's cookies may be long.
MAX_HEAD_BYTES = 32 * 1024
# What is read of every head, whatever the handler reads; each may stand once.
OWN = frozenset({"content-length", "transfer-encoding", "expect", "host"})


class ServerContext:
    """What holds for all connections of a server: whom requests are for, and their bounds."""

    def __init__(self, handler: Handler, bounds: Limits) -> None:
        self.handler = handler
        self.bounds = bounds
        # As they are sent, in lower case, and as they are found.
        self.reads = {name.encode(): name for name in OWN | handler.reads}
        self.once = OWN | handler.once
        self.too_large = too_large(bounds.max_body_bytes)
        self.bodies = BodyBudget(bounds.max_bodies_bytes)
        self.is_draining = False
        """Whether each response ends its connection."""


class _Stopped(Exception):  # noqa: N818  # it stops the parser, and nobody else hears of it
    """What follows is not read."""


class Reader:
    """Reads requests one behind the other: `current`, until nothing more is to be read."""

    def __init__(self, terms: ServerContext, owner: Connection) -> None:
        self._terms = terms
        self._owner = owner
        self._parser = httptools.HttpRequestParser(self)
        self.current: Exchange | None = None
        """The one whose head or body is being read."""
        self.has_moved = False
        """Set when a request begins, or its head or its body is whole."""
        self.is_ended = False
        """Nothing more is read: what comes is dropped."""
        self._refusal: Response | None = None
        self._unread: bytes | None = None
        self._is_in_head = False
        self._is_ambiguous = False
        self._url = b""
        self._head_bytes = 0
        self._body: bytes | bytearray = b""
        # Of heads, framing, empty lines: of what is not yet a whole head or a part of a body.
        self._loose_bytes = 0

    def feed(self, data: bytes) -> Response | None:
        """Read on; the answer to what cannot be read, of which nothing more is."""
        self._loose_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._unread is not None:
                return self._feed_body(self._unread, data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            if self._refusal is None and not self.is_ended:
                raise  # a slip of ours: the loop logs it, and ends the connection
            return self._refusal
        except httptools.HttpParserError:
            return None if self.is_ended else MALFORMED
        return LONG_HEAD if self._loose_bytes > MAX_HEAD_BYTES and not self.is_ended else None

    def _feed_body(self, length: bytes, data: bytes) -> Response | None:
        """Read the body of a request that asked to speak otherwise, which the parser does not.

        Java's client asks so with each first request where there is no TLS. We speak nothing else:
        it is taken as it is, and is the last.
        """
        self._unread = None
        self._parser = httptools.HttpRequestParser(_BodyReader(self))
        self._loose_bytes = 0
        return self.feed(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % length + data)

    def end(self) -> Exchange | None:
        """Nothing more comes: let go of the request that will never be whole, and name it."""
        self.is_ended = True
        unfinished, self.current = self.current, None
        if unfinished is not None:
            self._forget(unfinished)
        return unfinished

    def close(self) -> None:
        """Let go of what holds it in turn, which else only the garbage collector would find."""
        self.end()
        del self._parser, self._owner

    # What the parser calls

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self.is_ended:
            raise _Stopped
        self.current = self._owner.opened()
        self.has_moved = True
        self._is_in_head = True
        self._is_ambiguous = False
        self._url = b""
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of it."""
        self._count(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line; of a trailer, too, which nobody reads."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        known = self._terms.reads.get(name.lower())
        if known is not None and self._is_in_head:
            headers = self._read().headers
            if known in headers and known in self._terms.once:
                self._is_ambiguous = True
            headers[known] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        exchange, parser = self._read(), self._parser
        self.has_moved = True
        self._is_in_head = False
        self._loose_bytes = 0
        if not exchange.has_room(EACH + self._head_bytes):
            self._stop(CROWDED)
        if self._is_ambiguous:
            self._stop(TWICE)
        if parser.get_http_version() == "1.0":
            exchange.headers.pop("expect", None)
        elif "host" not in exchange.headers:
            self._stop(NO_HOST)
        exchange.method = parser.get_method().decode()
        exchange.path, exchange.query = target_of(self._url)
        exchange.keeps_alive = parser.should_keep_alive()
        if parser.should_upgrade():
            exchange.keeps_alive = False
            self._unread = length_of(exchange.headers)
        self._owner.begin(exchange)

    def on_body(self, data: bytes) -> None:
        """A part of it."""
        self._loose_bytes = 0
        exchange = self._read()
        if exchange.out is not None or exchange.refusal is not None:
            return
        if not exchange.has_room(len(data)):
            self._drop(exchange, UNAVAILABLE)
            return
        if exchange.out is not None or exchange.refusal is not None:
            exchange.free()  # it was itself the one that gave way
            return
        if not self._body:
            self._body = data
            self._terms.bodies.arriving[self] = None
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        if len(self._body) > self._terms.bounds.max_body_bytes:
            self._drop(exchange, self._terms.too_large)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._unread is not None:
            return
        exchange = self._read()
        self.current = None
        self.has_moved = True
        self.is_ended = self.is_ended or not exchange.keeps_alive
        self._loose_bytes = 0
        body, self._body = self._body, b""
        self._terms.bodies.arriving.pop(self, None)
        self._owner.take(exchange, bytes(body))

    def give_way(self) -> None:
        """Another body needs the room: refuse this one, and free what it holds."""
        self._drop(self._read(), UNAVAILABLE)

    def _drop(self, exchange: Exchange, answer: Response) -> None:
        """Refuse it, and read the rest of its body for nothing.

        Not the end at once: a client that is still sending would not see the answer.
        """
        self._forget(exchange)
        if exchange.is_begun:
            exchange.reply(answer)
        else:
            exchange.refusal = answer

    def _forget(self, exchange: Exchange) -> None:
        """Keep nothing of its body."""
        self._body = b""
        self._terms.bodies.arriving.pop(self, None)
        exchange.free()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(LONG_HEAD)

    def _stop(self, answer: Response) -> NoReturn:
        """Read nothing more, and answer so."""
        self._refusal = answer
        raise _Stopped

    def _read(self) -> Exchange:
        if self.current is None:
            raise _Stopped
        return self.current


class _BodyReader:
    """What calls a reader for a body alone: its head it knows."""

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


# A shop's pages ask for few; a stranger's may be as long as a head.
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
