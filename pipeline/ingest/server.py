"""`pipeline ingest`: the door in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import uvloop

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.http.parser import Limits
from pipeline.http.server import BACKLOG, Server
from pipeline.ingest.app import App, create_app
from pipeline.ingest.explain import Explained
from pipeline.ingest.json_log import log_problems
from pipeline.ingest.open_files import OPERATORS, TooFewFilesError, connections
from pipeline.ingest.stores import Stores, StoresError
from pipeline.kafka.admin import check_topics
from pipeline.kafka.errors import KafkaUnusableError, UnfitTopicError
from pipeline.kafka.security import security
from pipeline.sockets import ListenError, is_loopback, listening, written

log = logging.getLogger(__name__)

# With the publisher's own flush behind it, the process is gone within ten seconds.
GRACE = timedelta(seconds=4)
# Seconds for a Kafka to answer at the start; a supervisor's stop waits for it, too.
PATIENCE = 1.0


async def serve(
    app: App,
    settings: Settings,
    door: socket.socket,
    admin: socket.socket,
    *,
    stop: asyncio.Event,
    opened: Callable[[], None] = lambda: None,
) -> None:
    """Serve beacons on `door` and the pages of operators on `admin` until `stop`.

    `opened` is called once requests are taken.
    """
    app.start()
    bounds = Limits(
        within=settings.body_timeout.total_seconds(),
        rest=settings.keep_alive.total_seconds(),
        max_body_bytes=settings.max_body_bytes,
        max_bodies_bytes=settings.max_bodies_bytes,
        max_connections=settings.max_connections,
    )
    few = replace(bounds, max_bodies_bytes=bounds.max_body_bytes, max_connections=OPERATORS)
    servers = [Server(app, bounds), Server(app.pages, few)]
    for server, listener in zip(servers, (door, admin), strict=True):
        await server.open(listener)
    with _little_garbage():
        opened()
        await stop.wait()
    await asyncio.gather(*[server.close(within=GRACE) for server in servers])
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
    if explain and not anywhere and not is_loopback(settings.admin_host):
        return _failed(
            f"--explain shows events to all who reach {settings.admin_host}:"
            " set PIPELINE_ADMIN_HOST=127.0.0.1, or add --explain-anywhere"
        )
    if not settings.kafka_bootstrap_servers:
        return _failed("no Kafka: set PIPELINE_KAFKA_BOOTSTRAP_SERVERS, or run `pipeline up`")
    security(settings)
    try:
        stores = Stores.load(settings.stores)
    except StoresError as error:
        return _failed(str(error))
    try:
        most = connections(settings.max_connections)
    except TooFewFilesError as error:
        return _failed(str(error))
    with ExitStack() as sockets:
        doors: list[socket.socket] = []
        for host, port, setting in (
            (settings.ingest_host, settings.ingest_port, "PIPELINE_INGEST_PORT"),
            (settings.admin_host, settings.admin_port, "PIPELINE_ADMIN_PORT"),
        ):
            try:
                listener = listening(host, port, setting=setting, backlog=BACKLOG)
            except ListenError as error:
                return _failed(str(error))
            doors.append(sockets.enter_context(listener))
        problems = log_problems()
        _refuse_unfit_topics(settings)
        app = create_app(
            settings,
            stores=stores,
            publisher=KafkaPublisher(
                settings, check=partial(check_topics, settings, patience=PATIENCE)
            ),
            clock=time.time,
            explained=Explained() if explain else None,
            chores=problems.tell_repeats,
        )
        if most < settings.max_connections:
            log.warning(
                "at most %d connections instead of %d: the limit of open files is lower"
                " (ulimit -Hn)",
                *(most, settings.max_connections),
            )
            settings = settings.model_copy(update={"max_connections": most})
        # Elsewhere it means "read again": it must not end what reads again by itself.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        uvloop.run(_serve_until_told(app, settings, *doors))
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


async def _serve_until_told(
    app: App, settings: Settings, door: socket.socket, admin: socket.socket
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def opened() -> None:
        # In one piece: who reads the first line alone may be gone by the second.
        sys.stdout.write(
            f"ingest: http://{written(*door.getsockname()[:2])}/beacon\n"
            f"ingest: http://{written(*admin.getsockname()[:2])}/metrics\n"
        )
        sys.stdout.flush()

    await serve(app, settings, door, admin, stop=stop, opened=opened)


def _failed(message: str) -> int:
    sys.stderr.write(f"ingest: {message}\n")
    return 1
