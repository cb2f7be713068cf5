"""Processes under one roof: started together, restarted when they die, ended together."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A process that has run this long was well: its next death is a first one.
WELL_AFTER = 60.0
LAST_LINES = 5


@dataclass(slots=True)
class Child:
    """One process to keep running; `deaths` in a row decide the pause before the next start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    deaths: int = 0
    words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


def _die_with_parent() -> None:
    # The kernel ends a child whose supervisor was killed: nothing is left running (Linux).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Supervisor:
    """Keeps its children running until `stop`.

    A child's lines go to `show`, with its name before each.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._children: list[Child] = []
        self._stopping = threading.Event()

    @property
    def children(self) -> Sequence[Child]:
        """In order of their start."""
        return tuple(self._children)

    def add(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process, and keep it."""
        child = Child(name, command, environment)
        self._children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            env={**os.environ, **child.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A Ctrl-C is for us to pass on, in order.
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
        )
        child.started = time.monotonic()
        threading.Thread(
            target=self._listen, args=(child, child.process.stdout), daemon=True
        ).start()

    def _listen(self, child: Child, output: IO[bytes] | None) -> None:
        for line in output or ():
            text = line.decode(errors="replace").rstrip()
            child.words.append(text)
            self._show(f"{child.name:<9} {text}")

    def watch(self, interval: float = 0.2) -> None:
        """Restart what dies, until `request_stop`."""
        while not self._stopping.wait(interval):
            for child in self._children:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        child.deaths = 1 if now - child.started > WELL_AFTER else child.deaths + 1
        pause = PAUSES[min(child.deaths, len(PAUSES)) - 1]
        last = f'; it said: "{child.words[-1]}"' if child.words else ""
        log.warning(
            "%s ended with code %s; starting it again in %g s%s", child.name, code, pause, last
        )
        child.process = None
        child.start_at = now + pause

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` has been asked for."""
        return self._stopping.is_set()

    def wait(self) -> None:
        """Until `request_stop`."""
        self._stopping.wait()

    def request_stop(self) -> None:
        """End `watch`; safe from a signal handler."""
        self._stopping.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End all children; the first started, which the others lean on, ends last.

        What does not end in time is killed.
        """
        self._stopping.set()
        for leaning in (self._children[1:], self._children[:1]):
            for child in leaning:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + timeout
            for child in leaning:
                self._end(child, until)

    def _end(self, child: Child, until: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not end in time and was killed", child.name)
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
