"""Processes under one roof: started together, restarted when they die, ended together.

All of it happens in the thread that calls, which must be the one that lives as long as the
process: the kernel ends a child when the *thread* that started it is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from pipeline.devstack.process import ManagedProcess

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A process that has run this long was well: its next death is a first one.
WELL_AFTER = 60.0
INTERVAL = 0.1

T = TypeVar("T")


class StartError(Exception):
    """The pipeline cannot start, or cannot go on; one line that says what to do."""


class Supervisor:
    """Keeps its children running until `stop`; `show` gets their lines, with names before them."""

    def __init__(self, show: Callable[[str], None], *, pauses: Sequence[float] = PAUSES) -> None:
        self._show = show
        self._pauses = pauses
        self._children: list[ManagedProcess] = []
        self._left: list[Future[None]] = []
        # A plain flag: an Event has a lock, on which a signal handler could wait for itself.
        self._is_stopping = False

    @property
    def children(self) -> Sequence[ManagedProcess]:
        """In order of their start."""
        return tuple(self._children)

    @property
    def is_stopping(self) -> bool:
        """Whether an end has been asked for."""
        return self._is_stopping

    def request_stop(self) -> None:
        """End `watch` and `during`; safe from a signal handler, and any number of times."""
        self._is_stopping = True

    def add(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process, and keep it. Raises OSError."""
        child = ManagedProcess(name, command, environment)
        child.start(self._show)
        self._children.append(child)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Restart what dies, until something comes true or an end is asked for."""
        while not self._is_stopping and not until():
            for child in self._children:
                self._look_after(child)
            time.sleep(INTERVAL)

    def during(self, work: Callable[[], T]) -> T | None:
        """The result of `work`, which may block: it has a thread, and we watch meanwhile.

        None where an end is asked for first; `work` is then left to itself (`has_left_work`).
        """
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
                done.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.watch(until=done.done)
        if self._is_stopping:
            self._left.append(done)  # type: ignore[arg-type]  # nobody asks for its result
            return None
        return done.result()

    @property
    def has_left_work(self) -> bool:
        """Whether something that was not waited for still runs."""
        return any(not work.done() for work in self._left)

    def _look_after(self, child: ManagedProcess) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start_again(child)
        elif child.is_dead():
            code = child.process.returncode
            self._plan(child, f"{child.name} ended with code {code}")

    def _start_again(self, child: ManagedProcess) -> None:
        try:
            child.start(self._show)
        except OSError as error:  # no memory or process left: for now
            self._plan(child, f"{child.name} cannot be started: {error.strerror}")

    def _plan(self, child: ManagedProcess, what: str) -> None:
        now = time.monotonic()
        child.deaths = 1 if now - child.started > WELL_AFTER else child.deaths + 1
        pause = self._pauses[min(child.deaths, len(self._pauses)) - 1]
        said = "".join(f"\n    {line}" for line in child.words)
        last = f"; its last words:{said}" if said else ""
        log.warning("%s; starting it again in %g s%s", what, pause, last)
        child.process = None
        child.start_at = now + pause

    def stop(self, timeout: float = 10.0) -> None:
        """End all children; the first started, which the others lean on, ends last.

        What does not end in time is killed.
        """
        self._is_stopping = True
        for leaning in (self._children[1:], self._children[:1]):
            for child in leaning:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + timeout
            for child in leaning:
                self._end(child, until)

    def _end(self, child: ManagedProcess, until: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not end in time and was killed", child.name)
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
