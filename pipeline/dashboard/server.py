"""The dashboard's process: the page at `/`, and `/version`, which the page polls."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import duckdb
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.config import Settings
from pipeline.dashboard import page
from pipeline.dashboard.monitored import Monitored
from pipeline.dashboard.report import Report, report
from pipeline.dashboard.snapshot import NotPublishedError, SnapshotReader
from pipeline.monitoring.monitor import Monitor
from pipeline.sockets import ListenError, bare, listening_for, written
from pipeline.warehouse.limits import LimitError, limited

_LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
_HEADERS = {
    "content-security-policy": page.POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def create_app(settings: Settings, monitored: Monitored | None = None) -> Starlette:
    """The page over `settings.database`, which need not exist yet; `monitored` counts its pages."""
    snapshot = SnapshotReader(settings.database, memory=settings.query_memory_bytes)

    # Not async: Starlette runs them in threads, because DuckDB would block the loop.
    def page_of(request: Request) -> Response:
        def query(connection: duckdb.DuckDBPyConnection) -> Report:
            with limited(connection, settings.query_timeout):
                return report(connection, wanted=request.query_params)

        status = 200
        try:
            found = snapshot.read(query)
        except NotPublishedError as error:
            text = page.empty(str(error), version=snapshot.version())
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            # Published by another version of the pipeline; its next snapshot will be readable.
            reason = f"The snapshot was published by another version: {str(error).splitlines()[0]}"
            text = page.empty(reason, version=snapshot.version())
        except LimitError as error:
            text, status = page.limit_exceeded(str(error), version=snapshot.version()), 503
        else:
            text = page.full(
                found.value, version=found.version, published=found.published, stale=found.stale
            )
        return HTMLResponse(text, status, headers=_HEADERS)

    def show(request: Request) -> Response:
        return monitored.counted(page_of, request) if monitored else page_of(request)

    def version(_request: Request) -> Response:
        return PlainTextResponse(snapshot.version(), headers=_HEADERS)

    # Other host names are refused, so that DNS rebinding reads nothing.
    more = (name.strip().lower() for name in settings.dashboard_hosts.split(","))
    allowed = [*_LOCAL, bare(settings.dashboard_host), *filter(None, more)]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)
    return Starlette(routes=[Route("/", show), Route("/version", version)], middleware=[hosts])


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Prints an error and returns 1 when the address is taken.

    Raises `ListenError` where that of the metrics is.
    """
    host, port = settings.dashboard_host, settings.dashboard_port
    try:
        listener = listening_for("PIPELINE_DASHBOARD_PORT", host, port)
    except ListenError as error:
        sys.stderr.write(f"dashboard: {error}\n")
        return 1
    monitored = Monitored(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, monitored),
            log_config=None,  # its lines are ours
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal again after its shutdown, so the exit code would not be 0; and a
    # signal may arrive before uvicorn handles any.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with listener, Monitor(settings, monitored.metrics, monitored.health):
        sys.stdout.write(f"dashboard: http://{written(*listener.getsockname()[:2])}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])
    return 0
