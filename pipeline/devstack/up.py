"""`pipeline up`: all processes on one machine, with an embedded Kafka if none is configured."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self, TypeVar

import psutil  # type: ignore[import-untyped]  # it brings none

from pipeline.config import Settings
from pipeline.devstack.addresses import Address, admin_address, dashboard_address, ingest_address
from pipeline.devstack.broker.progress import download_shown
from pipeline.devstack.broker.server import Broker
from pipeline.devstack.first_store import introduced, make_first_store
from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.shown import lines_shown, print_now
from pipeline.devstack.starting import Starting
from pipeline.devstack.supervised import Supervised, hopeless
from pipeline.devstack.supervisor import StartError, Supervisor
from pipeline.ingest.stores import Stores
from pipeline.kafka.admin import create_topics
from pipeline.kafka.security import refuse_for_our_own, security
from pipeline.monitoring.monitor import Monitor, operators_socket
from pipeline.process.log_lines import is_json

# The processes besides Kafka, in the order of their start; docker-compose.yml runs the same.
VERBS = ("ingest", "worker", "load", "dashboard")
# A copy of a large database takes minutes where the file system has no reflinks.
LAST_WORK = {"load": "publishes its last snapshot"}
_HOST = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())

T = TypeVar("T")


class Up:
    """The supervised processes of one pipeline, as a context manager.

    SIGTERM and SIGINT stop everything, at any moment; the body of the `with` checks `is_stopping`.
    Raises the errors that have a line for the user: `StartError`, `ListenError`, `BrokerError`,
    `KafkaUnusableError`, `StoresError`, OSError.
    """

    def __init__(self, settings: Settings, *, explain: bool = False) -> None:
        as_json = is_json(settings.log_format, sys.stderr)
        # Its processes write to a pipe, whatever `up` itself writes to.
        log_format = "json" if as_json else "text"
        self.settings = settings.model_copy(update={"log_format": log_format})
        self._options = {"ingest": ["--explain"]} if explain else {}
        self._broker: Broker | None = None
        self._supervisor = Supervisor(lines_shown(as_json=as_json))
        self._starting = Starting(self._supervisor, self._kafka_output)
        self._supervised = Supervised(self._supervisor, settings.home)
        self._opened = ExitStack()
        self._metrics: dict[str, int] = {}

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._supervisor.is_stopping

    @property
    def beacon_url(self) -> str:
        """Where to send events."""
        return ingest_address(self.settings).url("beacon")

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._supervisor.request_stop())
        try:
            self._start()
        except BaseException as error:
            self._end(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(error)
        if error is None and self._supervisor.has_left_work:
            # Python would wait for the threads of a hanging download. And `stop` does not know the
            # processes that such work started, as Java to format Kafka's log.
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def _start(self) -> None:
        # Errors that the user must fix are found before anything runs.
        if self.settings.stores.exists():
            Stores.load(self.settings.stores)
        security(self.settings)
        if not self.settings.kafka_bootstrap_servers:
            refuse_for_our_own(self.settings)
        addresses = {
            "ingest_port": ingest_address(self.settings),
            "admin_port": admin_address(self.settings),
            "dashboard_port": dashboard_address(self.settings),
        }
        with ExitStack() as sockets:
            for port, address in addresses.items():
                self._change(**{port: sockets.enter_context(address.held()).getsockname()[1]})
            monitor = Monitor(
                self.settings, self._supervised.metrics, self._supervised.health, announces=True
            )
            self._metrics["up"] = self._opened.enter_context(monitor).port
            if not self.settings.kafka_bootstrap_servers:
                self._start_kafka()
        self.during(lambda: create_topics(self.settings))
        if self.is_stopping:
            return
        path = self.settings.stores
        token = make_first_store(path)
        if token is not None:
            is_terminal = sys.stdout.isatty()
            print_now(introduced(path, self.beacon_url, token, is_terminal=is_terminal))
        self._add_processes()

    def _add_processes(self) -> None:
        shared = self.settings.environment()
        verbs = [verb for verb in VERBS for _ in range(self._count(verb))]
        with ExitStack() as sockets:
            # All of them are held first: no two get the same. A restart keeps its port.
            ports = [
                self.settings.admin_port  # its own pages
                if verb == "ingest"
                else sockets.enter_context(operators_socket(self.settings)).getsockname()[1]
                for verb in verbs
            ]
        for verb, port in zip(verbs, ports, strict=True):
            own = {"PIPELINE_METRICS_PORT": str(port)}
            if verb == "worker":
                # Restarted under its name, it gets its partitions back at once.
                own["PIPELINE_WORKER_NAME"] = f"{_HOST}-{self._supervisor.count(verb) + 1}"
            child = self._supervisor.add(
                verb,
                [sys.executable, "-m", "pipeline", verb, *self._options.get(verb, [])],
                {**shared, **own},
                last_work=LAST_WORK.get(verb, ""),
            )
            self._metrics[child.label] = port

    def _count(self, verb: str) -> int:
        return self.settings.workers if verb == "worker" else 1

    def _change(self, **values: object) -> None:
        self.settings = self.settings.model_copy(update=values)

    def _start_kafka(self) -> None:
        settings = self.settings
        broker = Broker(
            settings.home.resolve(),
            settings.cache,
            maven_url=settings.maven_url,
            is_lasting=True,
        )
        with download_shown() as progress:
            self.during(lambda: broker.prepare(progress))
        self._broker = broker
        if self.is_stopping:
            return
        self._supervisor.add("kafka", broker.command(), {})
        self.during(lambda: broker.wait_ready(given_up=self._starting.is_hopeless))
        self._starting.refuse_hopeless()
        self._change(kafka_bootstrap_servers=broker.bootstrap_servers)

    def _kafka_output(self) -> str:
        return "" if self._broker is None else self._broker.last_output()

    def wait_ready(self) -> None:
        """Wait until ingest is ready and the dashboard answers. Raises `StartError`."""
        self._starting.wait_for(
            admin_address(self.settings).url("readyz"),
            dashboard_address(self.settings).url("version"),
        )

    def announce(self) -> None:
        """Print the addresses once they answer."""
        self.wait_ready()
        if not self.is_stopping:
            explained = admin_address(self.settings).url("explain")
            print_now(
                f"Send beacons to {self.beacon_url}\n"
                + (f"See what is wrong with them at {explained}\n" if self._options else "")
                + f"See the dashboard at {dashboard_address(self.settings).url('')}\n"
                f"Query {self.settings.database} in any DuckDB client\n"
                f"See metrics at {self._metrics_urls()}\n"
                "Ctrl-C stops everything"
            )

    def _metrics_urls(self) -> str:
        host, own = self.settings.metrics_host, self.settings.admin_host
        return ", ".join(
            f"{Address(own if name == 'ingest' else host, port, '').url('metrics')} ({name})"
            for name, port in self._metrics.items()
        )

    def refuse_dying(self) -> None:
        """As `Starting.refuse_dying`."""
        self._starting.refuse_dying()

    def during(self, work: Callable[[], T]) -> T | None:
        """As `Supervisor.during`."""
        return self._supervisor.during(work)

    def watch(self) -> None:
        """Keep everything running until a stop is requested.

        Raises `StartError` if a process dies again and again of one cause: starting it once more
        does not help, and only the log would say so.
        """
        self._supervisor.watch(until=lambda: self._hopeless() is not None)
        child = self._hopeless()
        if child is not None and not self.is_stopping:
            raise StartError(
                f"{child.label} has died {child.deaths_of_one_cause} times in a row, at last:"
                f" {child.last_death}; mend that and start again (PIPELINE_MAX_RESTARTS)"
            )

    def _hopeless(self) -> ManagedProcess | None:
        return hopeless(self._supervisor.children, most=self.settings.max_restarts)

    def _end(self, error: BaseException | None) -> None:
        """Stop everything, and leave for `status` which error was the reason."""
        self._stop()
        # Before its first process the home may be that of another `up`.
        if isinstance(error, Exception) and self._supervisor.children:
            self._supervised.record(ended=str(error))

    def _stop(self) -> None:
        self._supervisor.stop(10.0 + self.settings.drain_delay.total_seconds())
        self._opened.close()
        if self._broker is not None:
            self._broker.release()
