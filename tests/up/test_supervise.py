"""The supervisor, with small programs."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from logged import logged
from processes import wait_for

from pipeline.devstack.process import ManagedProcess
from pipeline.devstack.supervised import Supervised, hopeless
from pipeline.devstack.supervisor import Supervisor
from pipeline.kafka.errors import AWAY, KafkaAwayError
from pipeline.process.restarts import WELL_AFTER, ending

PAUSES = (0.01, 0.02, 0.04)


class RecordingSupervisor(Supervisor):
    """A supervisor with short pauses that records the shown lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(self.show, pauses=PAUSES)

    def show(self, name: str, text: str) -> None:
        self.lines.append(f"{name:<9} {text}")

    def run(self, code: str, *arguments: str, name: str = "child", last_work: str = "") -> None:
        command = [sys.executable, "-c", code, *arguments]
        self.add(name, command, {}, last_work=last_work)


@pytest.fixture
def supervisor() -> Iterator[RecordingSupervisor]:
    made = RecordingSupervisor()
    yield made
    for child in made.children:
        if child.process is not None and child.last_work:
            child.process.kill()
    made.stop(timeout=2)


def test_output_is_shown_under_the_process_name(supervisor: RecordingSupervisor) -> None:
    supervisor.run("print('hello'); import time; time.sleep(600)", name="talker")
    supervisor.watch(lambda: "talker    hello" in supervisor.lines)


def test_a_dead_process_is_restarted_after_growing_pauses(
    supervisor: RecordingSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.run("print('born', flush=True); raise SystemExit(3)")
    supervisor.watch(lambda: supervisor.children[0].deaths == 5)
    messages = [text.split(";")[1] for text in logged(caplog, "pipeline.devstack")]
    assert messages == [f" starting it again in {pause:g} s" for pause in (*PAUSES, 0.04, 0.04)]
    assert supervisor.lines.count("child     born") == 5


def test_a_death_is_logged_with_the_last_output(
    supervisor: RecordingSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.run("print(*range(20), sep='\\n'); raise SystemExit('the end')")
    supervisor.watch(lambda: supervisor.children[0].deaths == 1)
    assert "ended with code 1; " in caplog.text
    assert "its last output:\n    16\n    17\n    18\n    19\n    the end" in caplog.text


def test_what_a_process_did_last_is_no_cause_of_its_death(
    supervisor: RecordingSupervisor,
) -> None:
    said = {
        "logging.error('no room\\nleft')": "child ended with code 3: ERROR no room left",
        "logging.info('made 1\\nof 2')": "child ended with code 3",
        "print('2026-07-01T00:00:00.000Z INFO well')": "child ended with code 3",
    }
    for what, last in said.items():
        supervisor.run(
            "import logging, sys; from pipeline.process.log_lines import LogLines\n"
            "handler = logging.StreamHandler(); handler.setFormatter(LogLines())\n"
            "logging.basicConfig(level='INFO', handlers=[handler])\n"
            f"{what}; sys.exit(3)"
        )
        child = supervisor.children[-1]
        supervisor.watch(lambda child=child: child.deaths == 1)
        assert child.last_death == last


def test_what_is_killed_has_not_ended_by_what_it_said(supervisor: RecordingSupervisor) -> None:
    supervisor.run("import os; print('Error: long ago', flush=True); os.kill(os.getpid(), 9)")
    (child,) = supervisor.children
    supervisor.watch(lambda: child.deaths == 1)
    assert child.last_death == f"child {ending(-9)}"


def test_a_death_after_a_long_life_counts_as_the_first(
    supervisor: RecordingSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.run("raise SystemExit(3)")
    supervisor.watch(lambda: supervisor.children[0].deaths == 3)
    monkeypatch.setattr("pipeline.process.restarts.WELL_AFTER", 0)
    supervisor.watch(lambda: supervisor.children[0].deaths == 1)


def test_a_process_that_runs_well_again_is_in_no_crash_loop(
    supervisor: RecordingSupervisor, tmp_path: Path
) -> None:
    supervised = Supervised(supervisor, tmp_path)
    mended = tmp_path / "mended"
    supervisor.run(
        "import pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1]).exists() or sys.exit(3)\n"
        "print('well', flush=True); time.sleep(600)",
        str(mended),
    )
    (child,) = supervisor.children
    supervisor.watch(lambda: child.deaths == 3)
    deaths = 'pipeline_supervisor_deaths_in_a_row{process="child"}'
    assert f"{deaths} 3.0" in supervised.metrics.text().decode()

    mended.touch()
    supervisor.watch(lambda: supervisor.lines != [])
    assert not supervised.health()[0]
    child.started -= WELL_AFTER
    assert f"{deaths} 0.0" in supervised.metrics.text().decode()
    assert supervised.health()[0]


def test_output_is_not_awaited_while_a_grandchild_holds_the_pipe(
    supervisor: RecordingSupervisor,
) -> None:
    supervisor.run("import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)")
    supervisor.watch(lambda: supervisor.children[0].deaths == 1)
    for line in supervisor.lines:
        psutil.Process(int(line.split()[1])).kill()


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def test_a_process_that_does_not_end_in_time_is_killed(
    supervisor: RecordingSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.run(STUBBORN)
    supervisor.watch(lambda: "child     deaf" in supervisor.lines)
    supervisor.stop(timeout=0.1)
    process = supervisor.children[0].process
    assert process is not None
    assert process.returncode == -signal.SIGKILL
    assert "child did not end in time" in caplog.text


WORKING = """
import pathlib, signal, sys, time
def work(*_):
    while not pathlib.Path(sys.argv[1]).exists():
        time.sleep(0.01)
    sys.exit()
signal.signal(signal.SIGTERM, work)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def finished(supervisor: RecordingSupervisor, tmp_path: Path) -> Path:
    """A file for which a process waits that is stopped, and that the supervisor waits for."""
    path = tmp_path / "finished"
    supervisor.run(WORKING, str(path), last_work="waits for a file")
    supervisor.watch(lambda: "child     ready" in supervisor.lines)
    return path


def ends(supervisor: RecordingSupervisor, caplog: pytest.LogCaptureFixture) -> Callable[[], bool]:
    """Have it stop in a thread of its own; returns whether it has ended."""
    stopping = threading.Thread(target=supervisor.stop, args=(0.1,))
    stopping.start()
    wait_for(lambda: "child still waits for a file; Ctrl-C ends it" in caplog.text, 20)
    time.sleep(0.3)
    assert stopping.is_alive()
    return lambda: not stopping.is_alive()


def test_last_work_is_waited_for_and_said(
    supervisor: RecordingSupervisor, finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Before it is said, it means no more than one signal.
    supervisor.request_stop()
    supervisor.request_stop()
    is_ended = ends(supervisor, caplog)
    finished.touch()
    wait_for(is_ended, 20)
    assert supervisor.children[0].process is not None
    assert supervisor.children[0].process.returncode == 0
    assert "did not end in time" not in caplog.text


@pytest.mark.usefixtures("finished")
def test_another_signal_cuts_last_work_off(
    supervisor: RecordingSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    is_ended = ends(supervisor, caplog)
    supervisor.request_stop()
    wait_for(is_ended, 20)
    assert supervisor.children[0].process is not None
    assert supervisor.children[0].process.returncode == -signal.SIGKILL


LEAVING = """
import pathlib, signal, sys, time
def leave(*_):
    with pathlib.Path(sys.argv[1]).open("a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(600)
"""


def test_the_first_process_is_stopped_last(supervisor: RecordingSupervisor, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        supervisor.run(LEAVING, str(tmp_path / "left"), name, name=name)
    supervisor.watch(lambda: len(supervisor.lines) == 3)
    supervisor.stop()
    assert (tmp_path / "left").read_text().split()[-1] == "first"


def test_work_that_blocks_does_not_stop_the_watch(supervisor: RecordingSupervisor) -> None:
    supervisor.run("raise SystemExit(3)")

    def work() -> str:
        while supervisor.children[0].deaths < 3:
            time.sleep(0.01)
        return "done"

    assert supervisor.during(work) == "done"


def test_an_error_of_the_work_is_raised_by_during(supervisor: RecordingSupervisor) -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        supervisor.during(work)
    assert not supervisor.has_left_work


def test_work_is_left_running_after_a_stop_request(supervisor: RecordingSupervisor) -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        supervisor.request_stop()
        release.wait(60)
        return "late"

    assert supervisor.during(work) is None
    assert begun.is_set()
    assert supervisor.has_left_work
    release.set()


KILLED = """
import sys
from pipeline.devstack.supervisor import Supervisor

sleep = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
supervisor = Supervisor(lambda name, text: print(name, text, flush=True), pauses=(0.01,))
supervisor.add("child", sleep, {})
supervisor.watch()
"""


def test_kill_9_of_the_supervisor_ends_its_children_even_a_restarted_one() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        for _ in range(2):
            parent.stdout.readline()
            (child,) = psutil.Process(parent.pid).children()
            child.kill()
        parent.stdout.readline()
        (last,) = psutil.Process(parent.pid).children()
        assert last.pid != child.pid
        parent.kill()
    wait_for(lambda: not last.is_running())


def test_many_signals_at_once_end_the_watch_once(supervisor: RecordingSupervisor) -> None:
    before = signal.signal(signal.SIGINT, lambda *_: supervisor.request_stop())
    try:
        signals = [threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]) for _ in range(20)]
        for each in signals:
            each.start()
        supervisor.watch()
        for each in signals:
            each.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert supervisor.is_stopping


def test_a_failed_start_is_tried_again(
    supervisor: RecordingSupervisor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    supervisor.add("child", [str(program)], {})
    program.unlink()
    with caplog.at_level(logging.WARNING):
        supervisor.watch(lambda: supervisor.children[0].deaths == 3)
    assert "child cannot be started: No such file or directory" in caplog.text


def test_deaths_of_one_cause_are_counted_and_another_cause_begins_anew(
    supervisor: RecordingSupervisor, tmp_path: Path
) -> None:
    cause = tmp_path / "cause"
    cause.write_text("no room at 12")
    ends = "import pathlib, sys; sys.exit(pathlib.Path(sys.argv[1]).read_text())"
    supervisor.run(ends, str(cause))
    (child,) = supervisor.children
    supervisor.watch(lambda: child.deaths_of_one_cause == 3)
    assert child.last_death == "child ended with code 1: no room at 12"
    cause.write_text("no room at 13")  # numbers are no cause
    supervisor.watch(lambda: child.deaths == 6)
    assert child.deaths_of_one_cause == 6
    cause.write_text("a bug")
    supervisor.watch(lambda: "a bug" in child.last_death)
    assert child.deaths_of_one_cause < child.deaths


def died(last_death: str, times: int) -> ManagedProcess:
    child = ManagedProcess("worker", [], {})
    child.last_death, child.deaths_of_one_cause = last_death, times
    return child


def test_a_process_is_given_up_after_so_many_deaths_of_one_cause_but_not_without_kafka() -> None:
    child = died("worker ended with code 1: Error: no room", 3)
    assert hopeless([died("", 1), child], most=3) is child
    assert hopeless([child], most=4) is None
    assert hopeless([child], most=0) is None
    # With words that change each time.
    child.deaths, child.deaths_of_one_cause = 6, 1
    assert hopeless([child], most=3) is child
    assert hopeless([child], most=4) is None
    error = KafkaAwayError(f"Kafka at kafka-1:9092 {AWAY} (_TRANSPORT): start it")
    assert hopeless([died(f"worker ended with code 1: Error: {error}", 99)], most=3) is None
