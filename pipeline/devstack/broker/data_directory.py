"""The data directory of a broker: locked by one process, and holding the port of its last start."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import time
from pathlib import Path
from typing import IO

from pipeline.devstack.broker.jars import BrokerError
from pipeline.process.umask import close_folder

# Below the range for outgoing connections: a client that reconnects to a port of that range while
# the broker restarts can get this port as its own local port, and then keeps it.
PORTS = range(20000, 30000)
# Seconds that a broker whose supervisor was killed may take to end.
PATIENCE = 15.0


def free_port() -> int:
    """A port of `PORTS` on which nothing listens at the moment."""
    for _ in range(100):
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
    raise BrokerError(f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class DataDirectory:
    """Locks `folder` for this process; the lock ends with the process.

    Raises `BrokerError` when another process holds it for longer than `patience` seconds.
    """

    def __init__(self, folder: Path, *, patience: float = PATIENCE) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        close_folder(folder)
        self._lock = (folder / "lock").open("a+")
        try:
            self._take(time.monotonic() + patience)
        except BrokerError:
            self._lock.close()
            raise

    def _take(self, until: float) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise BrokerError(
                f"process {self._lock.read().strip()} already runs a broker on {self.folder}:"
                " stop it, or set another PIPELINE_HOME"
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        # Kafka's own lock shows a broker that is still ending after its supervisor's death.
        while _is_locked(self.logs / ".lock"):
            if time.monotonic() > until:
                raise BrokerError(
                    f"a Kafka already runs on {self.logs}: stop it, or set another PIPELINE_HOME"
                )
            time.sleep(0.1)

    def port(self, wanted: int) -> int:
        """`wanted`, or if that is 0 the port of the last start, or a free one. Saves the choice."""
        saved = self.folder / "port"
        if wanted and not is_free(wanted):
            raise BrokerError(
                f"port {wanted} of 127.0.0.1 is in use: stop what listens there, or choose another"
            )
        text = saved.read_text().strip() if saved.exists() else ""
        last = int(text) if text.isdecimal() else 0
        port = wanted or (last if last and is_free(last) else free_port())
        fresh = saved.with_suffix(".new")
        fresh.write_text(f"{port}\n")
        fresh.replace(saved)
        return port

    def release(self) -> None:
        """Unlock it."""
        self._lock.close()


def _is_locked(path: Path) -> bool:
    file: IO[bytes]
    try:
        file = path.open("rb+")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # depends on the system
            return True
    return False
