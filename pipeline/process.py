"""One process that a supervisor runs: started, heard, and gone when the supervisor is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pipeline.printable import printable

LAST_LINES = 5
_PR_SET_PDEATHSIG = 1
# Found before any fork: a child of a process with threads may not look for libraries.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(slots=True)
class Child:
    """One process to keep running; `deaths` in a row decide the pause before the next start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    listener: threading.Thread | None = None
    started: float = 0.0
    start_at: float = 0.0
    deaths: int = 0
    words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def start(self, show: Callable[[str], None]) -> None:
        """Begin; each line that it says goes to `show`. Raises OSError."""
        self.started = time.monotonic()
        self.words.clear()
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A Ctrl-C is for us to pass on, in order.
            start_new_session=True,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # two calls, no locks
        )
        self.listener = threading.Thread(target=self._listen, args=(show,), daemon=True)
        self.listener.start()

    def _listen(self, show: Callable[[str], None]) -> None:
        process = self.process
        if process is None or process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                text = printable(line.decode(errors="replace").rstrip())
                self.words.append(text)
                show(f"{self.name:<9} {text}")

    def is_dead(self) -> bool:
        """Whether it ran and has ended; its last words are there then."""
        if self.process is None or self.process.poll() is None:
            return False
        if self.listener is not None:
            # What a child of its own still holds open is not waited for.
            self.listener.join(1)
        return True


def end_with(parent: int) -> None:
    """In a child before its exec: end it when `parent`, or the thread that forked it, has ended."""
    # The kernel ends a child whose supervisor was killed (Linux). Not by SIGTERM: Kafka may be gone
    # before it, so an orderly end could wait for ever; and any process may die at any moment.
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The supervisor may have been killed between the fork and the line above.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
