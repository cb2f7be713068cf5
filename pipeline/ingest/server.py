"""`pipeline ingest`: one process, or a group of them on one address."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.http.limits import Limits
from pipeline.http.server import Server
from pipeline.ingest.app import App, create_app
from pipeline.ingest.downstream import Downstream
from pipeline.ingest.explain import Explained
from pipeline.ingest.listeners import Listeners, open_listeners
from pipeline.ingest.open_files import OPERATORS, connections
from pipeline.ingest.ops_endpoints import ops_pages
from pipeline.ingest.process_group import ProcessGroup
from pipeline.ingest.reports import ReportServer
from pipeline.ingest.stores import Stores
from pipeline.kafka.admin import check_topics
from pipeline.kafka.errors import KafkaUnusableError, UnfitTopicError
from pipeline.kafka.security import security
from pipeline.process.little_garbage import little_garbage
from pipeline.sockets import UNIX, ListenError, is_loopback, written

log = logging.getLogger(__name__)

# With the publisher's own flush behind it, the process is gone within ten seconds.
GRACE = timedelta(seconds=4)
# Seconds for a Kafka to answer at the start; a supervisor's stop waits for it, too.
PATIENCE = 1.0


async def serve(
    app: App,
    settings: Settings,
    beacons: socket.socket,
    admin: socket.socket,
    *,
    stop: asyncio.Event,
    opened: Callable[[], None] = lambda: None,
    in_group: bool = False,
) -> None:
    """Serve `/beacon` on `beacons` and the operators' pages on `admin` until `stop`.

    `opened` is called when requests are accepted. `in_group`: `admin` answers the parent process,
    which serves the pages of the group.
    """
    app.start()
    strangers = Server(app, limits(settings))
    operators = ReportServer(app.state) if in_group else Server(app.pages, few(settings))
    await strangers.open(beacons)
    await operators.open(admin)
    with little_garbage():
        opened()
        await stop.wait()
        app.state.drain()
        strangers.drain()
        # A load balancer sends requests until it has seen the 503 of `/readyz`.
        await asyncio.sleep(settings.drain_delay.total_seconds())
    await strangers.close(grace=GRACE)
    await operators.close(grace=timedelta(0))
    await app.close()


def limits(settings: Settings) -> Limits:
    """Of the address for beacons."""
    return Limits(
        timeout=settings.body_timeout.total_seconds(),
        idle_timeout=settings.keep_alive.total_seconds(),
        max_body_bytes=settings.max_body_bytes,
        max_bodies_bytes=settings.max_bodies_bytes,
        max_connections=settings.max_connections,
    )


def few(settings: Settings) -> Limits:
    """Of the address for operators."""
    most = limits(settings)
    return replace(most, max_bodies_bytes=most.max_body_bytes, max_connections=OPERATORS)


def run(
    settings: Settings,
    *,
    explain: bool = False,
    anywhere: bool = False,
    inherited: tuple[int, int] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Without Kafka the spool takes beacons.

    Raises `KafkaUnusableError` if no Kafka is set, the settings for TLS or SASL are wrong, or
    Kafka's topics would refuse or lose what is answered 204; `ListenError`, `StoresError` and
    `TooFewFilesError`.

    `explain`: with `/explain`, on this machine's own address unless `anywhere`. `inherited`: the
    sockets of a process in a group (see `ProcessGroup`).
    """
    if not settings.kafka_bootstrap_servers:
        raise KafkaUnusableError(
            "no Kafka: set PIPELINE_KAFKA_BOOTSTRAP_SERVERS, or run `pipeline up`"
        )
    # Elsewhere it means "reload": ingest reloads by itself, and must not end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ExitStack() as opened:
        if inherited is not None:
            first, second = (opened.enter_context(socket.socket(fileno=fd)) for fd in inherited)
            return _run_process(settings, Listeners(first, second), explain=explain, in_group=True)
        listeners = open_listeners(settings, opened)
        settings = listeners.applied(settings)
        is_private = settings.admin_host.startswith(UNIX) or is_loopback(settings.admin_host)
        if explain and not anywhere and not is_private:
            raise ListenError(
                f"--explain shows events to every client that reaches {settings.admin_host}:"
                " set PIPELINE_ADMIN_HOST=127.0.0.1, or add --explain-anywhere"
            )
        if settings.ingest_workers == 1:
            return _run_process(settings, listeners, explain=explain)
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="pipeline-ingest-")))
        return uvloop.run(_run_group(settings, listeners, folder, explain=explain))


async def _run_group(
    settings: Settings, listeners: Listeners, folder: Path, *, explain: bool
) -> int:
    group = ProcessGroup(settings, listeners.beacons, folder, explain=explain)
    pages = ops_pages(group.state, explains=explain, is_local=is_loopback(settings.admin_host))
    server = Server(pages, few(settings))
    _on_stop(group.stop)
    await server.open(listeners.admin)
    code = await group.run(lambda: _announce(settings))
    await server.close(grace=timedelta(0))
    await pages.close()
    return code


def _run_process(
    settings: Settings, listeners: Listeners, *, explain: bool, in_group: bool = False
) -> int:
    security(settings)
    stores = Stores.load(settings.stores)
    most = connections(settings.max_connections)
    _refuse_unfit_topics(settings)
    downstream = Downstream(settings)
    app = create_app(
        settings,
        stores=stores,
        publisher=KafkaPublisher(
            settings, check=partial(check_topics, settings, patience=PATIENCE)
        ),
        clock=time.time,
        explained=Explained() if explain else None,
        downstream=downstream,
    )
    if most < settings.max_connections:
        log.warning(
            "at most %d connections instead of %d: the limit of open files is lower (ulimit -Hn)",
            *(most, settings.max_connections),
        )
        settings = settings.model_copy(update={"max_connections": most})
    downstream.start()
    uvloop.run(_serve_until_signal(app, settings, listeners, in_group=in_group))
    downstream.stop()
    return 0


def _refuse_unfit_topics(settings: Settings) -> None:
    """Raises `UnfitTopicError`. Other errors may be temporary: the publisher reports them."""
    try:
        check_topics(settings, patience=PATIENCE)
    except UnfitTopicError:
        raise
    except KafkaUnusableError:
        return


async def _serve_until_signal(
    app: App, settings: Settings, listeners: Listeners, *, in_group: bool
) -> None:
    stop = asyncio.Event()
    _on_stop(stop.set)
    await serve(
        app,
        settings,
        *listeners,
        stop=stop,
        opened=(lambda: None) if in_group else partial(_announce, settings),
        in_group=in_group,
    )


def _on_stop(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _announce(settings: Settings) -> None:
    log.info("ingest: http://%s/beacon", written(settings.ingest_host, settings.ingest_port))
    log.info("metrics: http://%s/metrics", written(settings.admin_host, settings.admin_port))
