"""Serves metrics and health of a process from a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from pipeline.config import Settings
from pipeline.http.limits import Limits
from pipeline.http.response import Response
from pipeline.http.server import Server
from pipeline.monitoring.last_error import LastError
from pipeline.monitoring.metrics import Metrics
from pipeline.monitoring.pages import ALIVE, Health, Pages, health_response, metrics_response
from pipeline.sockets import address, is_loopback, listening, listening_for, written

log = logging.getLogger(__name__)

# Several workers of one machine have the same setting: each takes the next free port.
PORTS = 100
# Of probes and Prometheus: they send a head, and no body.
LIMITS = Limits(
    timeout=10, idle_timeout=75, max_body_bytes=1024, max_bodies_bytes=65536, max_connections=32
)


def operators_socket(settings: Settings) -> socket.socket:
    """A socket that listens on the first free port of the setting's. Raises `ListenError`."""
    host, first = settings.metrics_host, settings.metrics_port
    for port in range(first, min(first + PORTS, 65536)) if first else []:
        try:
            return listening(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                break  # another port would not help
    return listening_for("PIPELINE_METRICS_PORT", host, first)


class Monitor:
    """`/metrics`, `/livez` and `/readyz` of this process, as a context manager.

    `health` is called in the thread that answers, and reads plain values. The address is logged
    unless the caller `announces` it. Raises `ListenError`.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        health: Callable[[], Health],
        *,
        announces: bool = False,
    ) -> None:
        self._settings = settings
        self._announces = announces
        self._metrics = metrics
        self._health = health
        self._last_error = LastError(metrics)
        self._opened = ExitStack()
        self.port = 0
        """Where it listens, once it does."""

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            listener = opened.enter_context(operators_socket(self._settings))
            host, self.port = address(listener)
            self._last_error.watch()
            opened.callback(self._last_error.close)
            loop = opened.enter_context(_Loop())
            pages = Pages(
                {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._text},
                is_local=is_loopback(host),
            )
            server = Server(pages, LIMITS)
            loop.run(server.open(listener))
            opened.callback(lambda: loop.run(server.close(grace=timedelta(0))))
            opened.callback(lambda: loop.run(pages.close()))
            self._opened = opened.pop_all()
        if not self._announces:
            log.info("metrics: http://%s/metrics", written(host, self.port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    async def _livez(self) -> Response:
        return ALIVE

    async def _readyz(self) -> Response:
        is_ready, words = self._health()
        return health_response((is_ready, {**words, **self._last_error.words()}))

    async def _text(self) -> Response:
        return metrics_response(self._metrics.text())


class _Loop:
    """An event loop in a thread of its own."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="monitor", daemon=True)
        self._thread.start()
        return self

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
