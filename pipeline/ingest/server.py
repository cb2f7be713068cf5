"""`pipeline ingest`: the door in a process of its own."""

from __future__ import annotations

import signal
import socket
import sys
import time
from types import FrameType

import uvicorn

from pipeline.config import Settings
from pipeline.ingest.app import create_app
from pipeline.ingest.durable import KafkaPublisher
from pipeline.ingest.stores import Stores, StoresError

# With the publisher's own flush behind it, the process is gone within ten seconds.
GRACE_SECONDS = 4


class _Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            host, port = listening.getsockname()[:2]
            sys.stdout.write(f"ingest: http://{host}:{port}/beacon\n")
            sys.stdout.flush()


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Kafka may come later: until then the spool."""
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
    publisher = KafkaPublisher(settings, settings.kafka_bootstrap_servers)
    app = create_app(settings, stores=stores, publisher=publisher, clock=time.time)
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            # "auto" would serve without the publisher when start-up fails.
            lifespan="on",
            # It would hold `?token=`.
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    # uvicorn raises a signal again once it has shut down, which would make 0 an exit by signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignored)
    with listening:
        server.run(sockets=[listening])
    return 0


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
