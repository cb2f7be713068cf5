"""The watchdog alone, around a program that only sleeps."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest
from processes import wait_for

from pipeline.devstack.broker import watchdog

Start = Callable[..., subprocess.Popen[bytes]]
SLEEP = ["sleep", "600"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, parent: int | None = None, **how: object) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-I", "-S", watchdog.__file__, str(parent or os.getpid())]
        process = subprocess.Popen([*program, *command], **how)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def child_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The child of the watchdog, once it runs the program itself."""
    watched = psutil.Process(process.pid)
    wait_for(lambda: [child.name() for child in watched.children()] == ["sleep"])
    return watched.children()[0]


def test_sigterm_ends_both_in_order(start: Start) -> None:
    process = start(*SLEEP)
    child = child_of(process)
    process.terminate()
    assert process.wait() == 0
    assert not child.is_running()


def test_kill_9_of_the_watchdog_ends_kafka(start: Start) -> None:
    process = start(*SLEEP)
    child = child_of(process)
    process.kill()
    wait_for(lambda: not child.is_running())


def test_kill_9_of_kafka_ends_the_watchdog_with_its_exit_code(start: Start) -> None:
    process = start(*SLEEP)
    child_of(process).kill()
    assert process.wait() == 128 + signal.SIGKILL


def test_an_exit_code_is_passed_on(start: Start) -> None:
    assert start("sh", "-c", "exit 3").wait() == 3


def test_an_orderly_end_of_java_is_exit_code_0(start: Start) -> None:
    assert start("sh", "-c", "exit 143").wait() == 0


def test_a_parent_that_is_already_gone_ends_both(start: Start) -> None:
    assert start(*SLEEP, parent=1).wait() == 0


def test_the_end_of_the_starting_thread_changes_nothing(start: Start) -> None:
    """A supervisor restarts children from a thread; the kernel's own signal follows threads."""
    begun: list[subprocess.Popen[bytes]] = []
    seen = threading.Event()

    def die_with_thread() -> None:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)

    def restart() -> None:
        begun.append(start(*SLEEP, preexec_fn=die_with_thread))
        seen.wait()

    thread = threading.Thread(target=restart)
    thread.start()
    wait_for(lambda: bool(begun))
    child = child_of(begun[0])
    seen.set()
    thread.join()
    # The thread has ended, so a signal would have been sent by now.
    with pytest.raises(subprocess.TimeoutExpired):
        begun[0].wait(3 * watchdog.INTERVAL)
    assert child.is_running()
