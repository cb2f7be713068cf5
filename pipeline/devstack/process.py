"""A process of the supervisor: its start, its output, and its end with the supervisor."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from pipeline.printable import printable
from pipeline.process.log_lines import is_news, message_of
from pipeline.process.parent_death import end_with
from pipeline.process.restarts import deaths_in_a_row

LAST_LINES = 5

# By `subprocess`, and by what watches over Kafka.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
_NUMBER = re.compile(r"\d+")

Show = Callable[[str, str], None]
"""Gets the name of a process and a line of its output."""


@dataclass(slots=True)
class ManagedProcess:
    """A process to keep running; consecutive `deaths` set the pause before the next start.

    `last_work` is what it does when it is stopped, if that may take any time; `label` tells it from
    others of its name; `last_death` says how it ended last, at `died_at` (UTC), and
    `deaths_of_one_cause` how often in a row in the same way; `last_words` is its last line, if that
    tells of trouble. While it does not run, `start_at` (of the monotonic clock) and `starts_at`
    (UTC) say when it is tried again.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    last_work: str = ""
    label: str = ""
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    started: float = 0.0
    start_at: float = 0.0
    starts_at: datetime | None = None
    deaths: int = 0
    restarts: int = 0
    last_death: str = ""
    died_at: datetime | None = None
    deaths_of_one_cause: int = 0
    last_words: str = ""
    last_output: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def start(self, show: Show) -> None:
        """Start it; each line of its output goes to `show`. Raises OSError."""
        self.started = time.monotonic()
        self.last_output.clear()
        self.last_words = ""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches only the supervisor, which stops the processes in order.
            start_new_session=True,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # two calls, no locks
        )
        self.starts_at = None
        self.reader = threading.Thread(target=self._read, args=(show,), daemon=True)
        self.reader.start()

    def _read(self, show: Show) -> None:
        process = self.process
        if process is None or process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                text = printable(line.decode(errors="replace").rstrip())
                message = " ".join(message_of(text).splitlines())
                self.last_output.append(message)
                self.last_words = "" if is_news(text) else message
                show(self.name, text)

    def start_after(self, pause: float) -> None:
        """That it is started again in `pause` seconds."""
        self.start_at = time.monotonic() + pause
        self.starts_at = datetime.now(UTC) + timedelta(seconds=pause)

    def note_death(self, what: str) -> None:
        """That it has ended, as `what` says: how often in a row, and how often of this cause."""
        self.deaths = deaths_in_a_row(self.deaths, ran=time.monotonic() - self.started)
        # What is killed has not ended by what it said.
        is_killed = self.process is not None and self.process.returncode in _KILLED
        words = "" if is_killed else self.last_words
        death = ": ".join(filter(None, [what, words]))
        is_same = self.deaths > 1 and _cause(death) == _cause(self.last_death)
        self.deaths_of_one_cause = self.deaths_of_one_cause + 1 if is_same else 1
        self.last_death = death
        self.died_at = datetime.now(UTC)
        self.process = None

    def is_dead(self) -> bool:
        """Whether it ran and has ended; then `last_output` is complete."""
        if self.process is None or self.process.poll() is None:
            return False
        if self.reader is not None:
            # Not longer: a child of its own may still hold the pipe open.
            self.reader.join(1)
        return True


def _cause(death: str) -> str:
    """What two deaths of one cause have in common."""
    return _NUMBER.sub("0", death)
