"""Between Kafka and the process that started it: `python watchdog.py PARENT COMMAND...`.

However the parent dies, Kafka is asked to end; however the watchdog dies, the kernel ends Kafka
(Linux). So no kill leaves a broker behind that holds the port and the log. Run by its path and
without site-packages: it must be small, and start at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

# Only the standard library is on the path of `python -I -S`.
sys.path.append(str(Path(__file__).parents[3]))
from pipeline.parent_death import end_with, signal_at_its_death

INTERVAL = 0.1
GRACE = 10.0


def run(parent: int, command: list[str]) -> int:
    """Kafka's exit code, 0 where it was asked to end."""
    # A parent may have had itself set as ours with this call. The kernel sends that signal when
    # the parent's *thread* ends; we look for the process.
    signal_at_its_death(0)
    kafka = subprocess.Popen(
        command,
        preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # one thread, one call
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: kafka.terminate())
    while (code := kafka.poll()) is None:
        if os.getppid() != parent:
            return _end(kafka)
        time.sleep(INTERVAL)
    return _as_shell(code)


def _end(kafka: subprocess.Popen[bytes]) -> int:
    kafka.terminate()
    try:
        return _as_shell(kafka.wait(GRACE))
    except subprocess.TimeoutExpired:
        kafka.kill()
        return _as_shell(kafka.wait())


def _as_shell(code: int) -> int:
    # Java's answer to SIGTERM is an orderly end with 143.
    return 0 if code in {143, -signal.SIGTERM} else code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
