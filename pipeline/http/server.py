"""Listening: connections, the end of those that are late, and the end of all."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from time import monotonic

from pipeline.http.connection import Connection
from pipeline.http.exchange import Handler
from pipeline.http.limits import ConnectionLimit, Limits
from pipeline.http.parser import ServerContext

BACKLOG = 2048
# So many clients that are late at once hold up the others for a millisecond.
MOST_AT_ONCE = 50
SOON = timedelta(milliseconds=10).total_seconds()
LAST_WORDS = timedelta(seconds=0.5)


class Server:
    """Of one listening socket, in the running event loop."""

    def __init__(self, handler: Handler, bounds: Limits) -> None:
        self._terms = ServerContext(handler, bounds)
        self._places = ConnectionLimit(bounds.max_connections)
        self._pause = min(1.0, bounds.within / 4)

    async def open(self, listening: socket.socket) -> None:
        """Begin."""
        self._loop = asyncio.get_running_loop()
        self._listener = await self._loop.create_server(
            lambda: Connection(self._terms, self._places, self._loop.call_soon),
            sock=listening,
            backlog=BACKLOG,
        )
        self._sweep()

    def _sweep(self) -> None:
        now = monotonic()
        late = [connection for connection in self._places if connection.ends < now]
        pause = self._pause if len(late) <= MOST_AT_ONCE else SOON
        self._timer = self._loop.call_later(pause, self._sweep)
        for connection in late[:MOST_AT_ONCE]:
            connection.late()

    def drain(self) -> None:
        """From now on each response ends its connection; new connections are still taken."""
        self._terms.is_draining = True
        for connection in self._places:
            connection.drain()

    async def close(self, *, within: timedelta) -> None:
        """Take nothing new, finish what has begun; what is not finished `within` is refused."""
        self._terms.is_draining = True
        self._listener.close()
        for connection in self._places:
            connection.stop()
        await self._are_gone(within)
        for connection in self._places:
            connection.give_up()
        await self._are_gone(LAST_WORDS)
        for connection in self._places:
            connection.transport.abort()
        self._timer.cancel()

    async def _are_gone(self, within: timedelta) -> None:
        until = monotonic() + within.total_seconds()
        while any(self._places) and monotonic() < until:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(SOON)
