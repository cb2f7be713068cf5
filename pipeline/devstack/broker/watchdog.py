"""Stops Kafka when its parent dies: `python watchdog.py PARENT COMMAND...`.

When the parent dies, Kafka gets SIGTERM; when the watchdog dies, the kernel kills Kafka (Linux). So
no kill leaves a broker behind that holds the port and the log. The watchdog is run by its path and
without site-packages, so that it is small and starts at once.
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
from pipeline.process.parent_death import end_with, signal_at_its_death

INTERVAL = 0.1
GRACE = 10.0


def run(parent: int, command: list[str]) -> int:
    """Run Kafka. Returns its exit code, 0 after SIGTERM."""
    # The parent may have requested a signal at its death. The kernel sends it when the parent's
    # *thread* ends, but we watch the process.
    signal_at_its_death(0)
    kafka = subprocess.Popen(
        command,
        preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509  # one thread, one call
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: kafka.terminate())
    while (code := kafka.poll()) is None:
        if os.getppid() != parent:
            return _stop(kafka)
        time.sleep(INTERVAL)
    return _exit_code(code)


def _stop(kafka: subprocess.Popen[bytes]) -> int:
    kafka.terminate()
    try:
        return _exit_code(kafka.wait(GRACE))
    except subprocess.TimeoutExpired:
        kafka.kill()
        return _exit_code(kafka.wait())


def _exit_code(code: int) -> int:
    # After SIGTERM Java ends in order, with 143.
    return 0 if code in {143, -signal.SIGTERM} else code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
