"""Everything on one machine: a Kafka, if none is set, and the four processes around it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Self

from pipeline.broker.server import Broker
from pipeline.config import Settings
from pipeline.kafka_admin import KafkaUnusableError, create_topics
from pipeline.supervise import Supervisor

log = logging.getLogger(__name__)


class Up:
    """The supervised processes of one pipeline, from `with` to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._broker: Broker | None = None
        self._supervisor = Supervisor(lambda line: print(line, file=sys.stderr))  # noqa: T201
        self._watcher = threading.Thread(target=self._supervisor.watch, daemon=True)
        self.bootstrap = settings.kafka_bootstrap_servers
        self.url = f"http://{settings.ingest_host}:{settings.ingest_port}/beacon"
        self.dashboard_url = f"http://{settings.dashboard_host}:{settings.dashboard_port}/"

    @property
    def settings(self) -> Settings:
        """With the address of the Kafka in use."""
        return self._settings.model_copy(update={"kafka_bootstrap_servers": self.bootstrap})

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

    def _start(self) -> None:
        if not self.bootstrap:
            self._broker = Broker(self._settings.home.resolve(), self._settings.cache)
            self._broker.prepare(_show_download)
            self._supervisor.add("kafka", self._broker.command(), {})
            self._watcher.start()
            self._broker.wait_ready()
            self.bootstrap = self._broker.bootstrap_servers
        else:
            self._watcher.start()
        create_topics(self._settings, self.bootstrap)
        shared = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap}
        verbs = ["ingest", *["worker"] * self._settings.workers, "load", "dashboard"]
        for verb in verbs:
            self._supervisor.add(verb, [sys.executable, "-m", "pipeline", verb], shared)

    def announce(self) -> None:
        """Say where things are, once ingest answers."""
        self.wait_ready()
        print(  # noqa: T201
            f"Send beacons to {self.url}\n"
            f"See the dashboard at {self.dashboard_url}\n"
            f"Query {self._settings.database} in any DuckDB client\n"
            "Ctrl-C stops everything",
            flush=True,
        )

    def wait_ready(self, timeout: float = 60) -> None:
        """Until ingest can acknowledge. Raises `KafkaUnusableError` when it cannot."""
        ready = self.url.removesuffix("beacon") + "readyz"
        until = time.monotonic() + timeout
        while time.monotonic() < until and not self._supervisor.is_stopping:
            try:
                with urllib.request.urlopen(ready, timeout=2):  # noqa: S310  # our own address
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        if not self._supervisor.is_stopping:
            raise KafkaUnusableError(
                f"ingest did not become ready at {ready}: its last words are above"
            )

    @property
    def is_stopping(self) -> bool:
        """Whether someone asked for the end."""
        return self._supervisor.is_stopping

    def wait(self) -> None:
        """Until someone asks for the end."""
        self._supervisor.wait()

    def _stop(self) -> None:
        self._supervisor.stop()
        if self._broker is not None:
            self._broker.release()


def _show_download(done: int, total: int) -> None:
    # One line that rewrites itself on a terminal; only its end elsewhere.
    if sys.stderr.isatty() or done == total:
        end = "\n" if done == total else ""
        print(  # noqa: T201
            f"\rfetching Apache Kafka: {done >> 20} of {total >> 20} MiB",
            end=end,
            file=sys.stderr,
            flush=True,
        )
