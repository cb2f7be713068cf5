"""One process that a supervisor runs: started, heard, and gone when the supervisor is."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pipeline.parent_death import end_with
from pipeline.printable import printable

LAST_LINES = 5


@dataclass(slots=True)
class ManagedProcess:
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
