"""An embedded Kafka, from nothing but a folder: prepared, started, waited for, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.devstack.broker.data_directory import PATIENCE, DataDirectory, free_port
from pipeline.devstack.broker.fetch import fetch
from pipeline.devstack.broker.jars import BrokerError, Progress
from pipeline.devstack.broker.java import find_java
from pipeline.devstack.broker.node import Node, last_words

_WATCHDOG = Path(__file__).parent / "watchdog.py"


class Broker:
    """A Kafka of our own under `home`; the next start goes on with its data and its port.

    `with Broker(…)` is all a test needs. A supervisor calls `prepare`, runs `command` as often as
    it ends, asks `wait_ready`, and `release`s the home when it is done. `is_lasting`: it is to run
    for hours, and may take longer to warm up. `more` are properties of Kafka in place of ours, or
    beside them.
    """

    def __init__(
        self,
        home: Path,
        cache: Path,
        *,
        port: int = 0,
        maven_url: str | None = None,
        patience: float = PATIENCE,
        is_lasting: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = home.absolute() / "kafka"
        self._cache = cache
        self._maven_url = maven_url
        self._wanted_port = port
        self._patience = patience
        self._is_lasting = is_lasting
        self._more = more or {}
        self._home: DataDirectory | None = None
        self._node: Node | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0
        self.port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it. After `prepare`."""
        return f"127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int | None:
        """Of what `start` began: the watchdog, whose only child is Kafka."""
        return None if self._process is None else self._process.pid

    def prepare(self, progress: Progress = lambda _done, _total: None) -> None:
        """Fetch the jars, take the home for this process, choose the port, format the log once.

        Raises `BrokerError`: no network, no Java, another broker on this home, a port in use.
        """
        jars = fetch(self._cache, maven_url=self._maven_url, progress=progress)
        java = find_java()
        self._home = DataDirectory(self._folder, patience=self._patience)
        try:
            self.port = self._home.port(self._wanted_port)
            self._node = Node(
                self._folder, java, jars, is_lasting=self._is_lasting, more=self._more
            )
            self._node.configure(
                logs=self._home.logs, port=self.port, controller=_another(self.port)
            )
            self._log_begins = self._log_size()
        except BaseException:
            self.release()
            raise

    def command(self) -> list[str]:
        """Runs the broker in the foreground, for a child process of this one. After `prepare`.

        It may be run again whenever it has ended. SIGTERM ends it in order (exit code 0); so does
        the end of this process, however that comes.
        """
        if self._node is None:
            raise BrokerError("the broker has no command before it is prepared")
        # -I -S: nothing of a user's environment reaches the watchdog.
        watchdog = [sys.executable, "-I", "-S", str(_WATCHDOG), str(os.getpid())]
        return [*watchdog, *self._node.command()]

    def start(self) -> None:
        """Run it in the background. After `prepare`."""
        with (self._folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(
        self, timeout: float = 60, *, given_up: Callable[[], bool] = lambda: False
    ) -> bool:
        """Until it answers as a broker that has its place in the cluster.

        False, and no error, when `given_up` says so first. Raises `BrokerError` with Kafka's last
        words when it ends instead of answering, or takes longer than `timeout` seconds.
        """
        until = time.monotonic() + timeout
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                # By itself it would wait up to 10 s between two attempts.
                "reconnect.backoff.max.ms": 100,
            }
        )
        while time.monotonic() < until:
            if given_up():
                return False
            if self._process is not None and self._process.poll() is not None:
                raise BrokerError(f"Kafka ended at its start: {self.last_words()}")
            with suppress(KafkaException):
                if admin.list_topics(timeout=0.5).brokers:
                    return True
        raise BrokerError(f"Kafka on {self.bootstrap_servers} did not answer: {self.last_words()}")

    def last_words(self) -> str:
        """Why it ended, in one line, and where to read more."""
        if self._node is None:
            return "it was never prepared"
        output = self._folder / "output.log"
        said = output.read_text(errors="replace") if output.exists() else ""
        if self._node.log.exists():
            # A log that has been rolled since is new from its first byte.
            begin = self._log_begins if self._log_begins <= self._log_size() else 0
            said += self._node.log.read_bytes()[begin:].decode(errors="replace")
        return f"{last_words(said)} (more in {self._node.log})"

    def _log_size(self) -> int:
        log = self._folder / "broker.log"
        return log.stat().st_size if log.exists() else 0

    def stop(self, timeout: float = 20) -> None:
        """End what `start` began, in order, and wait; by force after `timeout` seconds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            self.kill()

    def kill(self) -> None:
        """End what `start` began with no chance to tidy up."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def release(self) -> None:
        """Give the home up for another broker."""
        if self._home is not None:
            self._home.release()
            self._home = None

    def __enter__(self) -> Self:
        self.prepare()
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.kill()
            self.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.release()


def _another(port: int) -> int:
    while (other := free_port()) == port:
        pass
    return other
