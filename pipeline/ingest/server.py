"""`pipeline ingest`: the door in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import uvloop

from pipeline.config import Settings
from pipeline.ingest.app import App, create_app
from pipeline.ingest.durable.kafka import KafkaPublisher
from pipeline.ingest.explain import Explained, is_loopback
from pipeline.ingest.http.reader import Bounds
from pipeline.ingest.http.server import BACKLOG, Server
from pipeline.ingest.problems import log_problems
from pipeline.ingest.stores import Stores, StoresError
from pipeline.kafka_admin import check_topics
from pipeline.kafka_security import security
from pipeline.kafka_trouble import KafkaUnusableError, UnfitTopicError
from pipeline.listening import listening, written

# With the publisher's own flush behind it, the process is gone within ten seconds.
GRACE = timedelta(seconds=4)
# Seconds for a Kafka to answer at the start; a supervisor's stop waits for it, too.
PATIENCE = 1.0


async def serve(
    app: App,
    settings: Settings,
    door: socket.socket,
    *,
    stop: asyncio.Event,
    opened: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` on a socket until `stop`; `opened` is called once requests are taken."""
    app.start()
    server = Server(
        app,
        Bounds(
            within=settings.body_timeout.total_seconds(),
            rest=settings.keep_alive.total_seconds(),
            max_body_bytes=settings.max_body_bytes,
        ),
    )
    await server.open(door)
    with _little_garbage():
        opened()
        await stop.wait()
    await server.close(within=GRACE)
    await app.close()


@contextmanager
def _little_garbage() -> Iterator[None]:
    """Look for garbage rarely.

    What has been made until now stays; and of the many objects of a thousand requests in flight
    none is garbage, which a look at them every 700 objects costs a sixth.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        # Extension modules count what is still alive when the process ends, and say so.
        gc.unfreeze()
        gc.set_threshold(*before)


def run(settings: Settings, *, explain: bool = False, anywhere: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Kafka may come later: until then the spool.

    Raises `KafkaUnusableError` where the settings for TLS or SASL cannot be right, or Kafka's
    topics would refuse or lose what is answered 204.

    `explain`: with `/explain`, on this machine's own address unless it is said `anywhere`.
    """
    if explain and not anywhere and not is_loopback(settings.ingest_host):
        return _failed(
            f"--explain shows events to all who reach {settings.ingest_host}:"
            " set PIPELINE_INGEST_HOST=127.0.0.1, or add --explain-anywhere"
        )
    if not settings.kafka_bootstrap_servers:
        return _failed("no Kafka: set PIPELINE_KAFKA_BOOTSTRAP_SERVERS, or run `pipeline up`")
    security(settings)
    try:
        stores = Stores.load(settings.stores)
    except StoresError as error:
        return _failed(str(error))
    try:
        opened = listening(settings.ingest_host, settings.ingest_port, backlog=BACKLOG)
    except OSError as error:
        address = written(settings.ingest_host, settings.ingest_port)
        return _failed(f"cannot listen on {address}: {error.strerror}; set PIPELINE_INGEST_PORT")
    problems = log_problems()
    _refuse_unfit_topics(settings)
    publisher = KafkaPublisher(settings, check=partial(check_topics, settings, patience=PATIENCE))
    app = create_app(
        settings,
        stores=stores,
        publisher=publisher,
        clock=time.time,
        explained=Explained(anywhere=anywhere) if explain else None,
        chores=problems.tell_repeats,
    )
    # A thousand slow clients must not use up the files of everyone else.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Elsewhere it means "read again": it must not end what reads again by itself.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with opened:
        uvloop.run(_serve_until_told(app, settings, opened))
    problems.close()
    return 0


def _refuse_unfit_topics(settings: Settings) -> None:
    """Raises `UnfitTopicError`. What else is wrong may pass, and the publisher tells of it."""
    try:
        check_topics(settings, patience=PATIENCE)
    except UnfitTopicError:
        raise
    except KafkaUnusableError:
        return


async def _serve_until_told(app: App, settings: Settings, door: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def opened() -> None:
        sys.stdout.write(f"ingest: http://{written(*door.getsockname()[:2])}/beacon\n")
        sys.stdout.flush()

    await serve(app, settings, door, stop=stop, opened=opened)


def _failed(message: str) -> int:
    sys.stderr.write(f"ingest: {message}\n")
    return 1
