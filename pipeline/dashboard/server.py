"""The dashboard's process: the page at `/`, its sections, their tables as CSV, and `/version`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.config import Settings
from pipeline.dashboard.monitored import Monitored
from pipeline.dashboard.pages import Pages
from pipeline.dashboard.password import ExposedError, PasswordMiddleware, refuse_exposed
from pipeline.monitoring.monitor import Monitor
from pipeline.sockets import ListenError, bare, listening_for, written

_LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")


def create_app(settings: Settings, monitored: Monitored | None = None) -> Starlette:
    """The page over `settings.database`, which need not exist yet; `monitored` counts its pages."""
    pages = Pages(settings)

    def counted(answered: Callable[[Request], Response]) -> Callable[[Request], Response]:
        # Not async: Starlette runs them in threads, because DuckDB would block the loop.
        def show(request: Request) -> Response:
            return monitored.counted(answered, request) if monitored else answered(request)

        return show

    # Other host names are refused, so that DNS rebinding reads nothing.
    more = (name.strip().lower() for name in settings.dashboard_hosts.split(","))
    allowed = [*_LOCAL, bare(settings.dashboard_host), *filter(None, more)]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)]
    if password := settings.dashboard_password.get_secret_value():
        middleware.append(Middleware(PasswordMiddleware, password=password))
    routes = [
        Route("/", counted(pages.page)),
        Route("/section/{name}", counted(pages.section)),
        Route("/csv/{name}", counted(pages.csv)),
        Route("/version", pages.version),
    ]
    return Starlette(routes=routes, middleware=middleware)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Prints an error and returns 1 when the address is taken.

    Raises `ListenError` where that of the metrics is.
    """
    host, port = settings.dashboard_host, settings.dashboard_port
    try:
        refuse_exposed(settings)
        listener = listening_for("PIPELINE_DASHBOARD_PORT", host, port)
    except (ExposedError, ListenError) as error:
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
