"""A client's connection: its requests are answered in their order, each wait has its end."""

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
from pipeline.http.response import CROWDED, FAILED, LATE, STOPPING, UNEXPECTED, Response

log = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

P = ParamSpec("P")
T = TypeVar("T")


class Connection(asyncio.Protocol):
    """It has one of `places` while it is open. Somebody has to call `late` once `ends` has passed.

    One request is handed over at a time: the next begins behind the answer before it, and lets
    others have a turn first. While two wait, or a client does not take its answers, nothing is
    read; so what waits is never more than was read at once.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        terms: ServerContext,
        places: ConnectionLimit,
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        """`soon` calls what it is given, but not at once: as the loop's `call_soon` does."""
        self._terms = terms
        self._soon = soon
        self._places = places
        self._line: OrderedDict[Connection, None] | None = None
        self._reader = Reader(terms, self)
        # Those whose answer is not sent yet, in their order; the last may still be read.
        self._exchanges: deque[Exchange] = deque()
        self._has_begun_one = False
        self._is_full = False
        self._is_held = False
        self._has_place = False
        self.ends = inf
        """When it is late, by `time.monotonic`."""

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client that says nothing is given as long as a head."""
        self.transport = transport  # type: ignore[assignment]
        self._has_place = self._places.enter(self)
        if self._has_place:
            self._wait(self._terms.bounds.within, self._places.unfinished)
        else:
            self._refuse(CROWDED)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Pending requests finish; their responses are discarded."""
        self._stand(None)
        self._places.leave(self)
        self._drop_all()
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Bytes of whatever."""
        reader = self._reader
        if reader.is_ended:
            return
        self._has_begun_one = False
        refused = reader.feed(data)
        if refused is not None:
            self._refuse(refused)
        elif reader.has_moved:
            self._settle()

    def eof_received(self) -> bool:
        """The client says nothing more, but may still read: what is whole gets its answer."""
        unfinished = self._reader.end()
        if self._exchanges and self._exchanges[-1] is unfinished:
            self._exchanges.pop()
        if not self._exchanges:
            return False  # the transport ends, once what was sent is taken
        self._exchanges[-1].keeps_alive = False
        self._settle()
        return True

    def pause_writing(self) -> None:
        """The client does not take its answers."""
        self._is_full = True
        self._settle()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        self._settle()
        self._next()

    # What the reader calls

    def opened(self) -> Exchange:
        """Next in the line."""
        exchange = Exchange(self._flush, self._terms.bodies)
        self._exchanges.append(exchange)
        return exchange

    def begin(self, exchange: Exchange) -> None:
        """Let it begin if it is its turn."""
        if self._terms.is_draining:
            exchange.keeps_alive = False
        if self._exchanges[0] is not exchange:
            return
        if self._has_begun_one:
            self._next()
        else:
            self._begin(exchange)

    def take(self, exchange: Exchange, body: bytes) -> None:
        """Hand over its body, or keep it until its turn."""
        if exchange.is_begun:
            self._take(exchange, body)
        else:
            exchange.body = body

    # Each request in its turn

    def _next(self) -> None:
        """Let the first one begin soon, if it has not: others have their turn before it."""
        if self._exchanges and not self._exchanges[0].is_begun:
            self._soon(self._turn)

    def _turn(self) -> None:
        exchange = self._exchanges[0] if self._exchanges else None
        # One without a method has no whole head yet.
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
        """Hand it over, and let its body come where it has not."""
        exchange.is_begun = self._has_begun_one = True
        terms = self._terms
        exchange.take = self._guarded(exchange, terms.handler.begin, exchange)
        if exchange.out is None:
            length = exchange.headers.get("content-length")
            if length is not None and int(length) > terms.bounds.max_body_bytes:
                exchange.reply(terms.too_large)
            elif expected := exchange.headers.get("expect"):
                if expected.strip().lower() != "100-continue":
                    exchange.reply(UNEXPECTED)
                elif not is_read:
                    self.transport.write(CONTINUE)

    def _take(self, exchange: Exchange, body: bytes) -> None:
        if exchange.out is None and exchange.take is not None:
            self._guarded(exchange, exchange.take, exchange, body)
        elif self._reader.is_ended and not self._exchanges:
            self._end()  # it was answered before, and the answer said that it is the last

    def _guarded(
        self, exchange: Exchange, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        try:
            return work(*args, **kwargs)
        except Exception:
            # An answer without CORS headers would hide from the page that there was one.
            log.exception("a request failed")
            exchange.reply(FAILED)
            return None

    # What follows from it

    def _flush(self) -> None:
        """Send the answers whose turn it is."""
        exchanges = self._exchanges
        while exchanges and (out := exchanges[0].out) is not None:
            first = exchanges.popleft()
            self.transport.write(out)
            if first.is_last or not (first.keeps_alive or first is self._reader.current):
                self._drop_all()
                self._end()
                return
        self._settle()
        self._next()

    def _drop_all(self) -> None:
        """Answer none any more. What has begun goes on, and holds what it holds until its end."""
        for exchange in self._exchanges:
            if not exchange.is_begun:
                exchange.free()
        self._exchanges.clear()

    def _settle(self) -> None:
        """Read on or not, and until when."""
        self._reader.has_moved = False
        if self.transport.is_closing():
            return
        current, bounds = self._reader.current, self._terms.bounds
        is_held = self._is_full or len(self._exchanges) > 1
        if is_held != self._is_held:
            self._is_held = is_held
            if is_held:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
        if self._is_full or (current is not None and not is_held):
            self._wait(bounds.within, self._places.unfinished)
        elif self._exchanges:
            self.ends = inf  # it is our turn
            self._stand(None)
        else:
            self._wait(bounds.rest, self._places.resting)

    def _wait(self, seconds: float, line: OrderedDict[Connection, None]) -> None:
        """It is the client's turn, for so long at most."""
        self.ends = monotonic() + seconds
        self._stand(line)

    def _stand(self, line: OrderedDict[Connection, None] | None) -> None:
        """At the end of the line of those that give way, or in none."""
        if self._line is not None:
            self._line.pop(self, None)
        self._line = line if self._has_place else None
        if self._line is not None:
            self._line[self] = None

    def _refuse(self, answer: Response) -> None:
        """Give up what is being read, with `answer` where it has none yet."""
        self._reader.is_ended = True
        exchange = self._reader.current or self.opened()
        if exchange.method and not exchange.is_begun:
            # It is a request: it is refused in its turn.
            exchange.refusal = exchange.refusal or answer
            exchange.is_last = True
        elif exchange.out is None:
            if not exchange.method:
                self._terms.handler.refused(answer)
            exchange.reply(answer)
        else:
            self._end()

    def _end(self) -> None:
        self._reader.is_ended = True
        self.transport.close()
        # What was sent has to be taken.
        self._wait(self._terms.bounds.within, self._places.unfinished)

    # What the server calls

    def late(self) -> None:
        """Its time has passed."""
        if self._is_full or self.transport.is_closing():
            self.transport.abort()
        elif self._reader.current is not None:
            self._refuse(LATE)
        else:
            self._end()

    def give_way(self) -> None:
        """Another one needs its place."""
        self._has_place = False
        self._stand(None)
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._reader.current is not None:
            self._refuse(CROWDED)
        else:
            self._end()

    def drain(self) -> bool:
        """End with the answer to what has come; False where nothing has."""
        reader = self._reader
        last = self._exchanges[-1] if self._exchanges else reader.current
        if last is None:
            return False
        last.keeps_alive = False
        reader.is_ended = reader.is_ended or reader.current is None
        return True

    def stop(self) -> None:
        """Finish what has begun, then end."""
        if not self.drain():
            self._end()

    def give_up(self) -> None:
        """Say of what waits that somebody else will take it, and end."""
        if self._exchanges:
            self._exchanges[0].reply(STOPPING)
        else:
            self._end()
