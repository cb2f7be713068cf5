"""The dashboard's process: the page at `/`, its sections, their tables as CSV, and `/version`."""

from __future__ import annotations

import logging
import signal
from functools import partial
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.config import Settings
from pipeline.dashboard.headers import HEADERS, HeadersMiddleware
from pipeline.dashboard.lanes import Answered, Lane
from pipeline.dashboard.monitored import Monitored
from pipeline.dashboard.pages import Pages, busy
from pipeline.dashboard.password import PasswordMiddleware, refuse_exposed
from pipeline.monitoring.monitor import Monitor
from pipeline.sockets import bare, listening_for, written

# Threads, and how many requests wait for one. Pages and sections: a page asks for its slow sections
# one after the other, so a reader has one of each. Files are made of thousands of rows each.
QUICK, SECTIONS, FILES = (8, 200), (4, 100), (2, 30)
log = logging.getLogger(__name__)

_LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")


def create_app(settings: Settings, monitored: Monitored | None = None) -> Starlette:
    """The page over `settings.database`, which need not exist yet; `monitored` counts its pages."""
    pages = Pages(settings)

    def route(path: str, answered: Answered, lane: Lane) -> Route:
        def counted(of: Answered) -> Answered:
            return partial(monitored.counted, of) if monitored else of

        async def answer(request: Request) -> Response:
            # A whole page is made of slow sections.
            own = sections if request.query_params.get("whole") == "1" else lane
            return await own.answer(request, answered=counted(answered), busy=counted(busy))

        return Route(path, answer)

    quick, sections, files = (
        Lane(threads=threads, waiting=waiting) for threads, waiting in (QUICK, SECTIONS, FILES)
    )
    # Other host names are refused, so that DNS rebinding reads nothing.
    more = (name.strip().lower() for name in settings.dashboard_hosts.split(","))
    allowed = [*_LOCAL, bare(settings.dashboard_host), *filter(None, more)]
    middleware = [
        Middleware(HeadersMiddleware),
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
    ]
    if password := settings.dashboard_password.get_secret_value():
        middleware.append(Middleware(PasswordMiddleware, password=password))
    routes = [
        route("/", pages.page, quick),
        route("/section/{name}", pages.section, sections),
        route("/csv/{name}", pages.csv, files),
        Route("/version", pages.version),
    ]
    # An error is answered before any middleware.
    failed = PlainTextResponse("This failed: the dashboard's log says why.", 500, headers=HEADERS)
    handlers = {Exception: lambda _request, _error: failed}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Raises `ListenError`, and as `ExposedError` if open to all."""
    host, port = settings.dashboard_host, settings.dashboard_port
    refuse_exposed(settings)
    listener = listening_for("PIPELINE_DASHBOARD_PORT", host, port)
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
        log.info("dashboard: http://%s", written(*listener.getsockname()[:2]))
        server.run(sockets=[listener])
    return 0
