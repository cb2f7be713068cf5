"""Starts processes, restarts them when they die, and stops them together.

Everything runs in the calling thread, which must live as long as the process: the kernel kills a
child when the *thread* that started it ends.
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

from pipeline.devstack.process import ManagedProcess, Show
from pipeline.process.restarts import PAUSES, ending, pause_after

log = logging.getLogger(__name__)

INTERVAL = 0.1

T = TypeVar("T")


class StartError(Exception):
    """The pipeline cannot start or continue. The message is one line that says what to do."""


class Supervisor:
    """Keeps processes running until `stop`; `show` gets their output, line by line."""

    def __init__(self, show: Show, *, pauses: Sequence[float] = PAUSES) -> None:
        self._show = show
        self._pauses = pauses
        self._children: list[ManagedProcess] = []
        self._left: list[Future[None]] = []
        self.on_change: Callable[[ManagedProcess], None] = lambda _: None
        """Called with each process that has started, again or first, or has died."""
        # A plain flag: with an Event's lock a signal handler could deadlock.
        self._is_stopping = False
        self._is_asked_again = False

    @property
    def children(self) -> Sequence[ManagedProcess]:
        """In the order of their start."""
        return tuple(self._children)

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._is_stopping

    def request_stop(self) -> None:
        """End `watch` and `during`; then what `stop` waits for. Safe in a signal handler."""
        self._is_stopping = self._is_asked_again = True

    def add(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        last_work: str = "",
    ) -> ManagedProcess:
        """Start a process and keep it running; `last_work` is as in `ManagedProcess`.

        Raises OSError.
        """
        same = self.count(name)
        label = f"{name}-{same + 1}" if same else name
        child = ManagedProcess(name, command, environment, last_work, label)
        child.start(self._show)
        self._children.append(child)
        self.on_change(child)
        return child

    def count(self, name: str) -> int:
        """How many processes have this name."""
        return sum(child.name == name for child in self._children)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Restart what dies, until `until` is true or a stop is requested."""
        while not self._is_stopping and not until():
            for child in self._children:
                self._look_after(child)
            time.sleep(INTERVAL)

    def during(self, work: Callable[[], T]) -> T | None:
        """Run `work`, which may block, in a thread while this one watches. Returns its result.

        Returns None when a stop is requested first; `work` then goes on (`has_left_work`).
        """
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # raised by `done.result`
                done.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.watch(until=done.done)
        if self._is_stopping:
            self._left.append(done)  # type: ignore[arg-type]  # its result is not used
            return None
        return done.result()

    @property
    def has_left_work(self) -> bool:
        """Whether work that was not waited for is still running."""
        return any(not work.done() for work in self._left)

    def _look_after(self, child: ManagedProcess) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start_again(child)
        elif child.is_dead():
            self._plan(child, f"{child.name} {ending(child.process.returncode)}")

    def _start_again(self, child: ManagedProcess) -> None:
        try:
            child.start(self._show)
        except OSError as error:  # short of memory or processes, for now
            self._plan(child, f"{child.name} cannot be started: {error.strerror}")
        else:
            child.restarts += 1
            self.on_change(child)

    def _plan(self, child: ManagedProcess, what: str) -> None:
        child.note_death(what)
        pause = pause_after(child.deaths, self._pauses)
        output = "".join(f"\n    {line}" for line in child.last_output)
        last = f"; its last output:{output}" if output else ""
        log.warning("%s; starting it again in %g s%s", what, pause, last)
        child.start_after(pause)
        self.on_change(child)

    def stop(self, timeout: float = 10.0) -> None:
        """Stop all processes; the first started, on which the others depend, is stopped last.

        What does not end within `timeout` seconds is killed; a process with `last_work` once
        another stop is requested.
        """
        self._is_stopping = True
        for group in (self._children[1:], self._children[:1]):
            for child in group:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + timeout
            for child in group:
                self._wait_or_kill(child, until)

    def _wait_or_kill(self, child: ManagedProcess, until: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            if child.last_work and self._has_finished(child):
                return
            log.warning("%s did not end in time and was killed", child.name)
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()

    def _has_finished(self, child: ManagedProcess) -> bool:
        """Wait until `child` has ended, or a stop is requested once more: False."""
        log.warning(
            "%s still %s; Ctrl-C ends it without that, and loses nothing",
            *(child.name, child.last_work),
        )
        self._is_asked_again = False
        while not child.is_dead():
            if self._is_asked_again:
                return False
            time.sleep(INTERVAL)
        return True
