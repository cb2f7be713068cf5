"""One client's connection: requests are answered in order, and every wait has a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import ParamSpec, TypeVar

from pipeline.http.exchange import Exchange
from pipeline.http.limits import ConnectionLimit
from pipeline.http.parser import Reader, ServerContext
from pipeline.http.response import FAILED, OVERLOADED, STOPPING, TIMED_OUT, UNEXPECTED, Response

log = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

P = ParamSpec("P")
T = TypeVar("T")


class Connection(asyncio.Protocol):
    """Counts in `connections` while it is open. The server calls `time_out` after `deadline`.

    The handler gets one request at a time: the next one after the response to it, in a later
    iteration of the loop. While two requests wait, or the client does not read its responses,
    nothing is read: what waits was read in one piece.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        context: ServerContext,
        connections: ConnectionLimit,
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        """`call_soon`: that of the event loop."""
        self._context = context
        self._call_soon = call_soon
        self._connections = connections
        self._queue: OrderedDict[Connection, None] | None = None
        self._reader = Reader(context, self)
        # Without a response yet, in order; the last may still be arriving.
        self._exchanges: deque[Exchange] = deque()
        self._has_begun_one = False
        self._is_full = False
        self._is_held = False
        self._is_counted = False
        self.deadline = inf
        """Of the current wait for the client, in seconds of `time.monotonic`."""

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A silent client has as much time as a head."""
        self.transport = transport  # type: ignore[assignment]
        self._is_counted = self._connections.enter(self)
        if self._is_counted:
            self._wait(self._context.limits.timeout, self._connections.unfinished)
        else:
            self._refuse(OVERLOADED)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Pending requests finish; their responses are discarded."""
        self._wait_in(None)
        self._connections.leave(self)
        self._discard_all()
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        reader = self._reader
        if reader.is_ended:
            return
        self._has_begun_one = False
        refused = reader.feed(data)
        if refused is not None:
            self._refuse(refused)
        elif reader.has_progressed:
            self._update()

    def eof_received(self) -> bool:
        """The client sends nothing more, but may still read: complete requests are answered."""
        unfinished = self._reader.end()
        if self._exchanges and self._exchanges[-1] is unfinished:
            self._exchanges.pop()
        if not self._exchanges:
            return False  # the transport ends, once what was sent is taken
        self._exchanges[-1].keeps_alive = False
        self._update()
        return True

    def pause_writing(self) -> None:
        """The client does not read its responses."""
        self._is_full = True
        self._update()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        self._update()
        self._next()

    # What the reader calls

    def open_exchange(self) -> Exchange:
        """A request begins."""
        exchange = Exchange(self._flush, self._context.bodies)
        self._exchanges.append(exchange)
        return exchange

    def begin(self, exchange: Exchange) -> None:
        """Its head is complete: begin if no other is before it. It may have a response already."""
        if self._context.is_draining:
            exchange.keeps_alive = False
        if self._exchanges[0] is not exchange:
            return
        if self._has_begun_one:
            self._next()
        else:
            self._begin(exchange)

    def take(self, exchange: Exchange, body: bytes) -> None:
        """Its body is complete, or was dropped after a response: hand it over in turn."""
        if exchange.is_begun:
            self._take(exchange, body)
        else:
            exchange.body = body

    # One request at a time

    def _next(self) -> None:
        """Begin the first request in the next iteration, after what other connections have."""
        if self._exchanges and not self._exchanges[0].is_begun:
            self._call_soon(self._begin_first)

    def _begin_first(self) -> None:
        exchange = self._exchanges[0] if self._exchanges else None
        # Without a method its head is not complete.
        if exchange is None or exchange.is_begun or not exchange.method or self._is_full:
            return
        body, exchange.body = exchange.body, None
        refusal = exchange.refusal
        self._begin(exchange, is_read=body is not None or refusal is not None)
        if refusal is not None:
            exchange.reply(refusal)
        if body is not None:
            self._take(exchange, body)

    def _begin(self, exchange: Exchange, *, is_read: bool = False) -> None:
        """Hand it over, and ask for its body where the client waits for that."""
        exchange.is_begun = self._has_begun_one = True
        context = self._context
        exchange.on_body = self._guarded(exchange, context.handler.begin, exchange)
        if exchange.out is None:
            length = exchange.headers.get("content-length")
            if length is not None and int(length) > context.limits.max_body_bytes:
                exchange.reply(context.too_large)
            elif expected := exchange.headers.get("expect"):
                if expected.strip().lower() != "100-continue":
                    exchange.reply(UNEXPECTED)
                elif not is_read:
                    self.transport.write(CONTINUE)

    def _take(self, exchange: Exchange, body: bytes) -> None:
        if exchange.out is None and exchange.on_body is not None:
            self._guarded(exchange, exchange.on_body, exchange, body)
        elif self._reader.is_ended and not self._exchanges:
            self._end()  # its response came before its body, and was the last

    def _guarded(
        self, exchange: Exchange, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        try:
            return work(*args, **kwargs)
        except Exception:
            # Through the exchange, for its CORS headers: without them a page sees no response.
            log.exception("a request failed")
            exchange.reply(FAILED)
            return None

    # Responses and deadlines

    def _flush(self) -> None:
        """Send the responses that are next."""
        exchanges = self._exchanges
        while exchanges and (out := exchanges[0].out) is not None:
            first = exchanges.popleft()
            self.transport.write(out)
            if first.is_last or not (first.keeps_alive or first is self._reader.current):
                self._discard_all()
                self._end()
                return
        self._update()
        self._next()

    def _discard_all(self) -> None:
        """Respond to none any more. What has begun finishes, and keeps its memory until then."""
        for exchange in self._exchanges:
            if not exchange.is_begun:
                exchange.free()
        self._exchanges.clear()

    def _update(self) -> None:
        """Decide whether to read, and until when to wait."""
        self._reader.has_progressed = False
        if self.transport.is_closing():
            return
        current, limits = self._reader.current, self._context.limits
        is_held = self._is_full or len(self._exchanges) > 1
        if is_held != self._is_held:
            self._is_held = is_held
            if is_held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
        if self._is_full or (current is not None and not is_held):
            self._wait(limits.timeout, self._connections.unfinished)
        elif self._exchanges:
            self.deadline = inf  # the client waits for us
            self._wait_in(None)
        else:
            self._wait(limits.idle_timeout, self._connections.idle)

    def _wait(self, seconds: float, queue: OrderedDict[Connection, None]) -> None:
        """Wait for the client, so long at most."""
        self.deadline = monotonic() + seconds
        self._wait_in(queue)

    def _wait_in(self, queue: OrderedDict[Connection, None] | None) -> None:
        """Be the last of `queue` to be evicted, or of none."""
        if self._queue is not None:
            self._queue.pop(self, None)
        self._queue = queue if self._is_counted else None
        if self._queue is not None:
            self._queue[self] = None

    def _refuse(self, answer: Response) -> None:
        """Stop reading, and respond with `answer` to what is being read."""
        self._reader.is_ended = True
        exchange = self._reader.current or self.open_exchange()
        if exchange.method and not exchange.is_begun:
            # A request that waits: it is refused after those before it.
            exchange.refusal = exchange.refusal or answer
            exchange.is_last = True
        elif exchange.out is None:
            if not exchange.method:
                self._context.handler.refused(answer)
            exchange.reply(answer)
        else:
            self._end()

    def _end(self) -> None:
        self._reader.is_ended = True
        self.transport.close()
        # The client has to read what was sent.
        self._wait(self._context.limits.timeout, self._connections.unfinished)

    # What the server calls

    def time_out(self) -> None:
        """The deadline has passed."""
        if self._is_full or self.transport.is_closing():
            self.transport.abort()
        elif self._reader.current is not None:
            self._refuse(TIMED_OUT)
        else:
            self._end()

    def evict(self) -> None:
        """Make room for another connection."""
        self._is_counted = False
        self._wait_in(None)
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._reader.current is not None:
            self._refuse(OVERLOADED)
        else:
            self._end()

    def drain(self) -> bool:
        """End with the response to the last request; False without one."""
        reader = self._reader
        last = self._exchanges[-1] if self._exchanges else reader.current
        if last is None:
            return False
        last.keeps_alive = False
        reader.is_ended = reader.is_ended or reader.current is None
        return True

    def stop(self) -> None:
        """Finish what has begun, then close."""
        if not self.drain():
            self._end()

    def refuse_pending(self) -> None:
        """Respond 503 to what is pending, and close."""
        if self._exchanges:
            self._exchanges[0].reply(STOPPING)
        else:
            self._end()
