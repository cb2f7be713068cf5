"""Load on ingest, and its latency: the same requests in turn, over persistent connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

END = b"\r\n\r\n"
PACE = 0.001


class _Client(asyncio.Protocol):
    """A connection with at most one request on its way."""

    def __init__(self, answered: Callable[[_Client], None]) -> None:
        self._answered = answered
        self._answer = b""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.due = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(END):
            return
        answer, self._answer = self._answer, b""
        if answer.startswith(b"HTTP/1.1 204"):
            self._answered(self)
        else:
            self.lost.set_exception(RuntimeError(answer.decode("latin-1")))
            self.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


def closed(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> int:
    """Requests answered 204 in that time, each connection sending as soon as it was answered.

    It polls and never sleeps: a sleeping one must be woken for each answer, which costs the server
    as much as half of a bare 204.
    """
    count = 0

    def answered(client: _Client) -> None:
        nonlocal count
        count += 1
        client.transport.write(next(requests))

    async def run() -> None:
        clients = await _connected(port, connections, answered)
        for client in clients:
            client.transport.write(next(requests))
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:  # noqa: ASYNC110  # it shall not sleep
            await asyncio.sleep(0)
        await _left(clients)

    uvloop.run(run())
    return count


def open_(
    port: int, requests: Iterator[bytes], *, connections: int, seconds: float, rate: float
) -> list[float]:
    """Seconds until each answer, of requests that are due at a steady `rate`, sorted.

    Where no connection is free the wait for one counts, so that a server that stalls is not spared
    those it delays. They go out each millisecond: in between the core is the broker's.
    """
    taken: list[float] = []
    free: deque[_Client] = deque()
    waiting: deque[float] = deque()

    def start(client: _Client, due: float) -> None:
        client.due = due
        client.transport.write(next(requests))

    def answered(client: _Client) -> None:
        taken.append(time.perf_counter() - client.due)
        if waiting:
            start(client, waiting.popleft())
        else:
            free.append(client)

    async def run() -> None:
        clients = await _connected(port, connections, answered)
        free.extend(clients)
        began = time.perf_counter()
        sent = 0
        while (now := time.perf_counter()) < began + seconds:
            for _ in range(int((now - began) * rate) - sent):
                sent += 1
                if free:
                    start(free.popleft(), now)
                else:
                    waiting.append(now)
            await asyncio.sleep(PACE)
        await _left(clients)

    uvloop.run(run())
    return sorted(taken)


async def _connected(
    port: int, connections: int, answered: Callable[[_Client], None]
) -> list[_Client]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: _Client(answered), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]


async def _left(clients: list[_Client]) -> None:
    """Hang up; raises where one of them had another answer than 204."""
    for client in clients:
        client.transport.abort()
    for client in clients:
        await client.lost
