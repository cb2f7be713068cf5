"""`pipeline ingest`: the door in a process of its own."""

from __future__ import annotations

import gc
import resource
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from pipeline.config import Settings
from pipeline.ingest.app import create_app
from pipeline.ingest.connection import Connection
from pipeline.ingest.durable.kafka import KafkaPublisher
from pipeline.ingest.explain import Explained, is_loopback
from pipeline.ingest.problems import log_problems
from pipeline.ingest.stores import Stores, StoresError

# With the publisher's own flush behind it, the process is gone within ten seconds.
GRACE_SECONDS = 4


class _Server(uvicorn.Server):
    """Says where it listens, once it does; while it serves, garbage is rarely looked for."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What has been made until now stays; and of the many objects of a thousand requests in
        # flight none is garbage, which a look at them every 700 objects costs a tenth.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        for listening in sockets or ():
            host, port = listening.getsockname()[:2]
            sys.stdout.write(f"ingest: http://{host}:{port}/beacon\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Extension modules count what is still alive when the process ends, and say so.
        gc.unfreeze()
        await super().shutdown(sockets)


def run(settings: Settings, *, explain: bool = False, anywhere: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Kafka may come later: until then the spool.

    `explain`: with `/explain`, on this machine's own address unless it is said `anywhere`.
    """
    if explain and not anywhere and not is_loopback(settings.ingest_host):
        return _failed(
            f"--explain shows events to all who reach {settings.ingest_host}:"
            " set PIPELINE_INGEST_HOST=127.0.0.1, or add --explain-anywhere"
        )
    if not settings.kafka_bootstrap_servers:
        return _failed("no Kafka: set PIPELINE_KAFKA_BOOTSTRAP_SERVERS, or run `pipeline up`")
    try:
        stores = Stores.load(settings.stores)
    except StoresError as error:
        return _failed(str(error))
    try:
        listening = _listening(settings)
    except OSError as error:
        address = f"{settings.ingest_host}:{settings.ingest_port}"
        return _failed(f"cannot listen on {address}: {error.strerror}; set PIPELINE_INGEST_PORT")
    problems = log_problems()
    publisher = KafkaPublisher(settings, settings.kafka_bootstrap_servers)
    app = create_app(
        settings,
        stores=stores,
        publisher=publisher,
        clock=time.time,
        explained=Explained(anywhere=anywhere) if explain else None,
        chores=problems.tell_repeats,
    )
    server = http_server(app, settings)
    # A thousand slow clients must not use up the files of everyone else.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # uvicorn raises a signal again once it has shut down, which would make 0 an exit by signal.
    # SIGHUP, which elsewhere means "read again", must not end what reads again by itself.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ignored)
    with listening:
        server.run(sockets=[listening])
    problems.close()
    return 0


def http_server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
    """A server of HTTP/1.1 for `app`, with the bounds of `Connection`."""
    return _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=Connection.limited(settings.body_timeout),
            # "auto" would serve without the publisher when start-up fails.
            lifespan="on",
            # It would hold `?token=`.
            access_log=False,
            # Our own stands.
            log_config=None,
            ws="none",
            # Nobody asks for the client's address.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def _ignored(_number: int, _frame: FrameType | None) -> None:
    pass


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.ingest_host else socket.AF_INET
    return socket.create_server(
        (settings.ingest_host, settings.ingest_port), family=family, backlog=2048
    )


def _failed(message: str) -> int:
    sys.stderr.write(f"ingest: {message}\n")
    return 1
