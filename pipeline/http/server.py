"""A listening socket: it accepts connections, times them out, and closes them."""

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
# So many timeouts at once hold up other connections for a millisecond.
MOST_PER_SWEEP = 50
POLL = timedelta(milliseconds=10).total_seconds()
FLUSH = timedelta(seconds=0.5)


class Server:
    """One listening socket in the running event loop."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self._context = ServerContext(handler, limits)
        self._connections = ConnectionLimit(limits.max_connections)
        self._pause = min(1.0, limits.timeout / 4)

    async def open(self, listening: socket.socket) -> None:
        """Accept connections."""
        self._loop = asyncio.get_running_loop()
        self._listener = await self._loop.create_server(
            lambda: Connection(self._context, self._connections, self._loop.call_soon),
            sock=listening,
            backlog=BACKLOG,
        )
        self._sweep()

    def _sweep(self) -> None:
        now = monotonic()
        late = [connection for connection in self._connections if connection.deadline < now]
        pause = self._pause if len(late) <= MOST_PER_SWEEP else POLL
        self._timer = self._loop.call_later(pause, self._sweep)
        for connection in late[:MOST_PER_SWEEP]:
            connection.time_out()

    def drain(self) -> None:
        """From now on each response ends its connection; new connections are still taken."""
        self._context.is_draining = True
        for connection in self._connections:
            connection.drain()

    async def close(self, *, grace: timedelta) -> None:
        """Accept nothing new and finish what has begun; after `grace` respond 503 to the rest."""
        self._context.is_draining = True
        self._listener.close()
        for connection in self._connections:
            connection.stop()
        await self._wait_closed(grace)
        for connection in self._connections:
            connection.refuse_pending()
        await self._wait_closed(FLUSH)
        for connection in self._connections:
            connection.transport.abort()
        self._timer.cancel()

    async def _wait_closed(self, grace: timedelta) -> None:
        until = monotonic() + grace.total_seconds()
        while any(self._connections) and monotonic() < until:  # noqa: ASYNC110  # no event to wait for
            await asyncio.sleep(POLL)
