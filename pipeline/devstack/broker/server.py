"""The embedded Kafka: prepared, started, awaited, stopped."""

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
from pipeline.devstack.broker.node import Node, last_error

_WATCHDOG = Path(__file__).parent / "watchdog.py"


class Broker:
    """A Kafka under `home`; the next start reuses its data and its port.

    A test uses `with Broker(…)`. A supervisor calls `prepare`, runs `command` again whenever it
    ends, calls `wait_ready`, and finally `release`. `is_lasting` means that it runs for hours and
    may take longer to warm up. `more` are properties of Kafka that replace or extend ours.
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
        self._directory: DataDirectory | None = None
        self._node: Node | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0
        self.port = 0

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients. After `prepare`."""
        return f"127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int | None:
        """The process that `start` began: the watchdog, whose only child is Kafka."""
        return None if self._process is None else self._process.pid

    def prepare(self, progress: Progress = lambda _done, _total: None) -> None:
        """Download the jars, lock the data directory, choose the port, format the log once.

        Raises `BrokerError`: no network, no Java, a data directory or a port in use.
        """
        jars = fetch(self._cache, maven_url=self._maven_url, progress=progress)
        java = find_java()
        self._directory = DataDirectory(self._folder, patience=self._patience)
        try:
            self.port = self._directory.port(self._wanted_port)
            self._node = Node(
                self._folder, java, jars, is_lasting=self._is_lasting, more=self._more
            )
            self._node.configure(
                logs=self._directory.logs, port=self.port, controller=_another(self.port)
            )
            self._log_begins = self._log_size()
        except BaseException:
            self.release()
            raise

    def command(self) -> list[str]:
        """The command that runs the broker in the foreground, as a child process. After `prepare`.

        It may be run again when it has ended. SIGTERM stops it in order (exit code 0), and so does
        any end of this process.
        """
        if self._node is None:
            raise BrokerError("call `prepare` before `command`")
        # -I -S keep the user's environment from the watchdog.
        watchdog = [sys.executable, "-I", "-S", str(_WATCHDOG), str(os.getpid())]
        return [*watchdog, *self._node.command()]

    def start(self) -> None:
        """Run the broker in the background. After `prepare`."""
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
        """Wait until it answers as a member of the cluster.

        Returns False if `given_up` becomes true first. Raises `BrokerError` with Kafka's last
        output when it ends instead, or takes longer than `timeout` seconds.
        """
        until = time.monotonic() + timeout
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                # By default it would wait up to 10 s between attempts.
                "reconnect.backoff.max.ms": 100,
            }
        )
        while time.monotonic() < until:
            if given_up():
                return False
            if self._process is not None and self._process.poll() is not None:
                raise BrokerError(f"Kafka ended at its start: {self.last_output()}")
            with suppress(KafkaException):
                if admin.list_topics(timeout=0.5).brokers:
                    return True
        raise BrokerError(
            f"Kafka on {self.bootstrap_servers} did not answer within {timeout:.0f} s:"
            f" {self.last_output()}"
        )

    def last_output(self) -> str:
        """Its last error in one line, and the file with more."""
        if self._node is None:
            return "it was never prepared"
        output = self._folder / "output.log"
        text = output.read_text(errors="replace") if output.exists() else ""
        if self._node.log.exists():
            # After a rollover all of the log is new.
            begin = self._log_begins if self._log_begins <= self._log_size() else 0
            text += self._node.log.read_bytes()[begin:].decode(errors="replace")
        return f"{last_error(text)} (more in {self._node.log})"

    def _log_size(self) -> int:
        log = self._folder / "broker.log"
        return log.stat().st_size if log.exists() else 0

    def stop(self, timeout: float = 20) -> None:
        """Stop what `start` began, by force after `timeout` seconds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            self.kill()

    def kill(self) -> None:
        """Kill what `start` began."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def release(self) -> None:
        """Unlock the data directory."""
        if self._directory is not None:
            self._directory.release()
            self._directory = None

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
