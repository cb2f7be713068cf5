"""The dashboard's process: two addresses, `/` and the `/version` that the page asks for."""

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
from pipeline.dashboard.report import Report, report
from pipeline.dashboard.snapshot import NotPublishedError, Snapshot
from pipeline.sockets import bare, listening, written
from pipeline.warehouse.limits import LimitError, limited

_LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
_HEADERS = {
    "content-security-policy": page.POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def create_app(settings: Settings) -> Starlette:
    """The page over `settings.database`, which need not exist yet."""
    snapshot = Snapshot(settings.database, memory=settings.query_memory_bytes)

    # Not async: Starlette gives them threads, for DuckDB would block the loop.
    def show(request: Request) -> Response:
        def asked(connection: duckdb.DuckDBPyConnection) -> Report:
            with limited(connection, settings.query_timeout):
                return report(connection, wanted=request.query_params)

        status = 200
        try:
            found = snapshot.read(asked)
        except NotPublishedError as error:
            text = page.empty(str(error), version=snapshot.version())
        except duckdb.CatalogException as error:
            # Made by another version of the pipeline: its next snapshot will do.
            reason = f"The snapshot is not of this version: {str(error).splitlines()[0]}"
            text = page.empty(reason, version=snapshot.version())
        except LimitError as error:
            text, status = page.too_much(str(error), version=snapshot.version()), 503
        else:
            text = page.full(
                found.value, version=found.version, published=found.published, stale=found.stale
            )
        return HTMLResponse(text, status, headers=_HEADERS)

    def version(_request: Request) -> Response:
        return PlainTextResponse(snapshot.version(), headers=_HEADERS)

    # A page elsewhere that names this address as its own (DNS rebinding) reads nothing.
    more = (name.strip().lower() for name in settings.dashboard_hosts.split(","))
    allowed = [*_LOCAL, bare(settings.dashboard_host), *filter(None, more)]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)
    return Starlette(routes=[Route("/", show), Route("/version", version)], middleware=[hosts])


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 1 when the address is taken, with a line that says so."""
    host, port = settings.dashboard_host, settings.dashboard_port
    try:
        listener = listening(host, port)
    except OSError as error:
        sys.stderr.write(
            f"dashboard: cannot listen on {written(host, port)} ({error.strerror}):"
            " set PIPELINE_DASHBOARD_PORT to another port, or 0 for any\n"
        )
        return 1
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises a signal again once it has shut down, which would make 0 an exit by signal; and
    # one may come before it listens to any.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with listener:
        sys.stdout.write(f"dashboard: http://{written(*listener.getsockname()[:2])}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])
    return 0
