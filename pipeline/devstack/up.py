"""Everything on one machine: a Kafka, if none is set, and the processes around it."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import psutil  # type: ignore[import-untyped]  # it brings none
import urllib3

from pipeline.config import Settings
from pipeline.devstack.addresses import admin_address, dashboard_address, ingest_address
from pipeline.devstack.broker.node import last_words
from pipeline.devstack.broker.progress import download_shown
from pipeline.devstack.broker.server import Broker
from pipeline.devstack.first_store import as_curl, make_first_store
from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.supervisor import StartError, Supervisor
from pipeline.ingest.stores import Stores
from pipeline.kafka.admin import create_topics
from pipeline.kafka.security import refuse_for_our_own, security

# The processes beside Kafka, in order of their start; docker-compose.yml runs the same.
VERBS = ("ingest", "worker", "load", "dashboard")
# What ends at its first start would only end again: a user's hand is needed.
MUST_START = ("kafka", "ingest", "dashboard")
START_SECONDS = 60.0
# So many in a row, each soon after a start, are no accident.
DEATHS = 3
_HOST = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())

T = TypeVar("T")


class Up:
    """The supervised processes of one pipeline, from `with` to its end.

    SIGTERM and SIGINT end everything, at any moment; the body of the `with` sees `is_stopping`.
    Raises the errors that have a line for the user: `StartError`, `ListenError`, `BrokerError`,
    `KafkaUnusableError`, `StoresError`, OSError.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._broker: Broker | None = None
        self._supervisor = Supervisor(_show)

    @property
    def is_stopping(self) -> bool:
        """Whether someone asked for the end."""
        return self._supervisor.is_stopping

    @property
    def beacon_url(self) -> str:
        """Where events go."""
        return ingest_address(self.settings).url("beacon")

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._supervisor.request_stop())
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        if error is None and self._supervisor.has_left_work:
            # Python would wait for the threads of a download that hangs. What such work has begun,
            # as Java to set Kafka's log up, is not a child that `stop` knows.
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def _start(self) -> None:
        # What needs a user's hand is found before anything runs.
        if self.settings.stores.exists():
            Stores.load(self.settings.stores)
        security(self.settings)
        if not self.settings.kafka_bootstrap_servers:
            refuse_for_our_own(self.settings)
        of_port = {
            "ingest_port": ingest_address(self.settings),
            "admin_port": admin_address(self.settings),
            "dashboard_port": dashboard_address(self.settings),
        }
        with ExitStack() as held:
            for port, address in of_port.items():
                self._change(**{port: held.enter_context(address.held()).getsockname()[1]})
            if not self.settings.kafka_bootstrap_servers:
                self._start_kafka()
        self.during(lambda: create_topics(self.settings))
        if self.is_stopping:
            return
        token = make_first_store(self.settings.stores)
        if token is not None:
            _say(f"Made {self.settings.stores} with one store. Its token, shown this once: {token}")
            _say(as_curl(self.beacon_url, token) + "\n")
        shared = self.settings.environment()
        for verb in VERBS:
            command = [sys.executable, "-m", "pipeline", verb]
            if verb != "worker":
                self._supervisor.add(verb, command, shared)
                continue
            for number in range(self.settings.workers):
                # Restarted under its name, a worker has its partitions back at once.
                own = {"PIPELINE_WORKER_NAME": f"{_HOST}-{number + 1}"}
                self._supervisor.add(verb, command, {**shared, **own})

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
        with download_shown() as heard:
            self.during(lambda: broker.prepare(heard))
        self._broker = broker
        if self.is_stopping:
            return
        self._supervisor.add("kafka", broker.command(), {})
        self.during(lambda: broker.wait_ready(given_up=self._is_hopeless))
        self._refuse_hopeless()
        self._change(kafka_bootstrap_servers=broker.bootstrap_servers)

    def _is_hopeless(self) -> bool:
        return self.is_stopping or any(
            child.deaths and child.name in MUST_START for child in self._supervisor.children
        )

    def _refuse_hopeless(self) -> None:
        for child in self._supervisor.children:
            if child.deaths and child.name in MUST_START:
                said = _last_words(child)
                # Kafka speaks to its log, but for what Java says before there is one.
                if self._broker is not None and child.name == "kafka" and not child.words:
                    said = self._broker.last_words()
                raise StartError(f"{child.name} ended at its start: {said}")

    def wait_ready(self) -> None:
        """Until ingest can acknowledge and the dashboard shows. Raises `StartError`."""
        urls = (
            admin_address(self.settings).url("readyz"),
            dashboard_address(self.settings).url("version"),
        )
        until = time.monotonic() + START_SECONDS
        for url in urls:
            self._supervisor.watch(partial(self._is_settled, url, until))
            self._refuse_hopeless()
            if not self.is_stopping and not _answers(url):
                raise StartError(f"nothing answers at {url}: its last words are above")

    def _is_settled(self, url: str, until: float) -> bool:
        return self._is_hopeless() or time.monotonic() > until or _answers(url)

    def announce(self) -> None:
        """Say where things are, once they answer."""
        self.wait_ready()
        if not self.is_stopping:
            _say(
                f"Send beacons to {self.beacon_url}\n"
                f"See the dashboard at {dashboard_address(self.settings).url('')}\n"
                f"Query {self.settings.database} in any DuckDB client\n"
                "Ctrl-C stops everything"
            )

    def refuse_dying(self) -> None:
        """Raises `StartError` where a process has died soon after each of its last starts."""
        for child in self._supervisor.children:
            # Between two starts: its words are there.
            if child.deaths >= DEATHS and child.process is None:
                raise StartError(f"{child.name} dies at each start: {_last_words(child)}")

    def during(self, work: Callable[[], T]) -> T | None:
        """The result of `work`, which may block; None where the end is asked for first."""
        return self._supervisor.during(work)

    def watch(self) -> None:
        """Keep everything running until someone asks for the end."""
        self._supervisor.watch()

    def _stop(self) -> None:
        self._supervisor.stop(10.0 + self.settings.drain_delay.total_seconds())
        if self._broker is not None:
            self._broker.release()


def _last_words(child: ManagedProcess) -> str:
    return last_words("\n".join(child.words)).removeprefix("Error: ")


def _answers(url: str) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return _http.request("GET", url).status == 200
    return False


# Unlike urllib's, it asks no proxy of the environment for an address of our own.
_http = urllib3.PoolManager(timeout=1.0, retries=False)


def _show(line: str) -> None:
    # One write, for the children's lines come from many threads; a closed terminal is no reason
    # to stop listening to them.
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
