"""The operators' pages: `/livez`, `/readyz`, `/metrics`, and others that a process adds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from pipeline.http.exchange import Exchange
from pipeline.http.response import FAILED, Response, error_response, json_response
from pipeline.sockets import names_this_machine

log = logging.getLogger(__name__)

TEXT = (b"content-type", b"text/plain; charset=utf-8")
# Prometheus' name of its format.
METRICS = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
ALIVE = Response(200, b"alive\n", (TEXT,))
NOT_FOUND = error_response(404, "Not found")
WRONG_METHOD = error_response(405, "Use GET, HEAD", (b"allow", b"GET, HEAD"))

Page = Callable[[], Awaitable[Response]]
Health = tuple[bool, dict[str, str]]
"""Whether a process can do its work; `status` and the reasons in words."""


class Pages:
    """The `Handler` of operators: a page for each path.

    `is_local`: it listens on loopback, and answers only to names of this machine. `refused` gets
    the answer to what was not a request.
    """

    reads = once = frozenset({"host"})

    def __init__(
        self,
        pages: Mapping[str, Page],
        *,
        is_local: bool,
        refused: Callable[[Response], None] = lambda _: None,
    ) -> None:
        self._pages = pages
        self._is_local = is_local
        self._refused = refused
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, exchange: Exchange) -> None:
        """See `Handler`."""
        task = asyncio.get_running_loop().create_task(self._show(exchange))
        # The loop holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refused(self, answer: Response) -> None:
        """See `Handler`."""
        self._refused(answer)

    async def close(self) -> None:
        """Cancel pending pages."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _show(self, exchange: Exchange) -> None:
        try:
            exchange.reply(await self._answer(exchange))
        except Exception:
            log.exception("a page failed")
            exchange.reply(FAILED)

    async def _answer(self, exchange: Exchange) -> Response:
        page = self._pages.get(exchange.path)
        # Against DNS rebinding: a web page whose name resolves to this machine reads nothing.
        is_stranger = self._is_local and not names_this_machine(exchange.headers.get("host", ""))
        if page is None or is_stranger:
            return NOT_FOUND
        if exchange.method not in ("GET", "HEAD"):
            return WRONG_METHOD
        return await page()


def health_response(health: Health) -> Response:
    """What `/readyz` answers: 503 where the process cannot do its work."""
    is_ready, words = health
    return json_response(200 if is_ready else 503, words)


def metrics_response(text: bytes) -> Response:
    """What `/metrics` answers."""
    return Response(200, text, (METRICS,))
