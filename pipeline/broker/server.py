"""One Kafka node in KRaft mode: its files under a home, its process, its end."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.broker.jars import BrokerError, fetch
from pipeline.broker.java import find_java

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
log.segment.bytes=268435456
"""

_LOG4J = """\
Configuration:
  Appenders:
    RollingFile:
      name: file
      fileName: {log}
      filePattern: {log}.%i
      PatternLayout: {{pattern: "%d{{ISO8601}} %p %m (%c)%n"}}
      SizeBasedTriggeringPolicy: {{size: 8MB}}
      DefaultRolloverStrategy: {{max: 2}}
  Loggers:
    Root: {{level: WARN, AppenderRef: {{ref: file}}}}
"""

# The broker shares two cores with the rest; C1 alone starts twice as fast and one thread collects.
_JVM = ("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Broker:
    """A Kafka of our own under `home`; the next start goes on with its data and its port."""

    def __init__(self, home: Path, cache: Path, *, port: int = 0) -> None:
        self._home = home / "kafka"
        self._cache = cache
        self._wanted_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self.port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.port}"

    def prepare(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Fetch the jars, take the home for this process, choose the port, format the log once.

        Raises `BrokerError`: no network, another broker on this home, a port in use.
        """
        self._jars = fetch(self._cache, progress=progress)
        self._java = find_java()
        self._home.mkdir(parents=True, exist_ok=True)
        self._take_home()
        self._choose_port()
        logs = self._home / "logs"
        (self._home / "log4j2.yaml").write_text(_LOG4J.format(log=self._home / "broker.log"))
        (self._home / "server.properties").write_text(
            _PROPERTIES.format(port=self.port, controller=free_port(), logs=logs)
        )
        if not (logs / "meta.properties").exists():
            self._format()

    def _take_home(self) -> None:
        self._lock = (self._home / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BrokerError(
                f"another broker already runs on {self._home}: stop it, or set PIPELINE_HOME"
            ) from None

    def _choose_port(self) -> None:
        kept = self._home / "port"
        if self._wanted_port:
            self.port = self._wanted_port
        elif kept.exists():
            self.port = int(kept.read_text())
        else:
            self.port = free_port()
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", self.port))
            except OSError:
                if self._wanted_port:
                    raise BrokerError(
                        f"port {self.port} is in use: choose another for the broker"
                    ) from None
                self.port = free_port()
        kept.write_text(str(self.port))

    def _format(self) -> None:
        done = subprocess.run(
            [
                *self._command("kafka.tools.StorageTool"),
                *("format", "--ignore-formatted", "-t", _cluster_id()),
                *("-c", str(self._home / "server.properties")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"Kafka's log cannot be set up: {_last_line(done.stderr)}")

    def _command(self, main: str) -> list[str]:
        return [
            str(self._java),
            *_JVM,
            f"-Dlog4j2.configurationFile={self._home / 'log4j2.yaml'}",
            "-cp",
            os.pathsep.join(map(str, self._jars)),
            main,
        ]

    def command(self) -> list[str]:
        """The server's command, for whoever supervises it. After `prepare`."""
        server = [*self._command("kafka.Kafka"), str(self._home / "server.properties")]
        # A guard between us and Java: the kernel tells it when its parent has died, however.
        return [sys.executable, "-S", "-c", _GUARD, *server]

    def start(self) -> None:
        """Run it in the background. After `prepare`."""
        with (self._home / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, start_new_session=True
            )

    def wait_ready(self, timeout: float = 60) -> None:
        """Until it answers. Raises `BrokerError` with its last words when it ends instead."""
        until = time.monotonic() + timeout
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        while time.monotonic() < until:
            if self._process is not None and self._process.poll() is not None:
                raise BrokerError(f"Kafka ended at once: {self.last_words()}")
            with suppress(KafkaException):
                admin.list_topics(timeout=1)
                return
        raise BrokerError(f"Kafka did not answer in {timeout:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of its logs."""
        for name in ("output.log", "broker.log"):
            path = self._home / name
            if path.exists() and path.stat().st_size:
                return _last_line(path.read_text(errors="replace"))
        return "it said nothing"

    def stop(self, timeout: float = 20) -> None:
        """End it and wait; what it has acknowledged is on disk."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.prepare()
        self.start()
        self.wait_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.release()

    def release(self) -> None:
        """Give the home up for another broker."""
        if self._lock is not None:
            self._lock.close()


_GUARD = """
import ctypes, os, signal, subprocess, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == 1:
    sys.exit(1)
server = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: server.terminate())
signal.signal(signal.SIGINT, lambda *_: server.terminate())
code = server.wait()
sys.exit(0 if code == 143 else code & 255)
"""


def _cluster_id() -> str:
    # Kafka's own shape of an id: 22 characters of URL-safe base64.
    import base64  # noqa: PLC0415  # once in a broker's life

    return base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
