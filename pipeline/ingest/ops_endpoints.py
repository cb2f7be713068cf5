"""The operators' pages: `/livez`, `/readyz`, `/metrics` and `/explain`."""

from __future__ import annotations

import asyncio
import logging

from pipeline.http.exchange import Exchange
from pipeline.http.response import FAILED, Response, error_response, json_response
from pipeline.ingest.explain import ExplainedEvent
from pipeline.ingest.explain_page import explain_page
from pipeline.ingest.state import IngestState
from pipeline.sockets import names_this_machine

log = logging.getLogger(__name__)

TEXT = (b"content-type", b"text/plain; charset=utf-8")
# Prometheus' name of its format.
METRICS = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
PAGES = ("/livez", "/readyz", "/metrics")
EXPLAINING = ("/explain", "/explain.json")
ALIVE = Response(200, b"alive\n", (TEXT,))
HUNG = Response(503, b"a process does not answer\n", (TEXT,))
NOT_FOUND = error_response(404, "Not found")
WRONG_METHOD = error_response(405, "Use GET, HEAD", (b"allow", b"GET, HEAD"))


class OpsEndpoints:
    """The `Handler` of operators: `/explain` where it `explains`.

    `is_local`: it listens on loopback, and answers only to names of this machine.
    """

    reads = once = frozenset({"host"})

    def __init__(self, state: IngestState, *, explains: bool, is_local: bool) -> None:
        self._state = state
        self._explains = explains
        self._is_local = is_local
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, exchange: Exchange) -> None:
        """See `Handler`."""
        task = asyncio.get_running_loop().create_task(self._show(exchange))
        # The loop holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refused(self, answer: Response) -> None:
        """See `Handler`."""
        self._state.refused(answer)

    async def close(self) -> None:
        """Cancel pending pages."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _show(self, exchange: Exchange) -> None:
        try:
            exchange.reply(await self._answer(exchange) or NOT_FOUND)
        except Exception:
            log.exception("a page failed")
            exchange.reply(FAILED)

    async def _answer(self, exchange: Exchange) -> Response | None:
        """The page at its path; None where there is none."""
        path, host = exchange.path, exchange.headers.get("host", "")
        is_explaining = path in EXPLAINING and self._explains
        # Against DNS rebinding: a web page whose name resolves to this machine reads nothing.
        is_stranger = self._is_local and not names_this_machine(host)
        if is_stranger or (path not in PAGES and not is_explaining):
            return None
        if exchange.method not in ("GET", "HEAD"):
            return WRONG_METHOD
        if path == "/livez":
            return ALIVE if await self._state.is_alive() else HUNG
        if path == "/metrics":
            return Response(200, (await self._state.measured()).text(), (METRICS,))
        if is_explaining:
            return _explanation(await self._state.entries(), path)
        is_ready, found = await self._state.readiness()
        return json_response(200 if is_ready else 503, found)


def _explanation(entries: list[ExplainedEvent], path: str) -> Response:
    if path == "/explain.json":
        return json_response(200, {"entries": entries})
    return explain_page(entries)
