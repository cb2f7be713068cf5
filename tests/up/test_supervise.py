"""The supervisor around small programs."""

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

from pipeline.devstack.supervisor import Supervisor

Eventually = Callable[[Callable[[], bool]], None]
PAUSES = (0.01, 0.02, 0.04)


class Roof(Supervisor):
    """Short pauses, and the lines that were shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(self.lines.append, pauses=PAUSES)

    def run(self, code: str, *arguments: str, name: str = "child") -> None:
        self.add(name, [sys.executable, "-c", code, *arguments], {})


@pytest.fixture
def roof() -> Iterator[Roof]:
    made = Roof()
    yield made
    made.stop(timeout=2)


def test_a_childs_lines_are_shown_under_its_name(roof: Roof) -> None:
    roof.run("print('hello'); import time; time.sleep(600)", name="talker")
    roof.watch(lambda: "talker    hello" in roof.lines)


def test_what_dies_is_started_again_after_growing_pauses(
    roof: Roof, caplog: pytest.LogCaptureFixture
) -> None:
    roof.run("print('born', flush=True); raise SystemExit(3)")
    roof.watch(lambda: roof.children[0].deaths == 5)
    told = [record.getMessage().split(";")[1] for record in caplog.records]
    assert told == [f" starting it again in {pause:g} s" for pause in (*PAUSES, 0.04, 0.04)]
    assert roof.lines.count("child     born") == 5


def test_its_last_words_are_told_with_its_death(
    roof: Roof, caplog: pytest.LogCaptureFixture
) -> None:
    roof.run("print(*range(20), sep='\\n'); raise SystemExit('the end')")
    roof.watch(lambda: roof.children[0].deaths == 1)
    assert "ended with code 1; " in caplog.text
    assert "its last words:\n    16\n    17\n    18\n    19\n    the end" in caplog.text


def test_a_death_after_a_long_life_is_a_first_one(
    roof: Roof, monkeypatch: pytest.MonkeyPatch
) -> None:
    roof.run("raise SystemExit(3)")
    roof.watch(lambda: roof.children[0].deaths == 3)
    monkeypatch.setattr("pipeline.devstack.supervisor.WELL_AFTER", 0)
    roof.watch(lambda: roof.children[0].deaths == 1)


def test_words_are_not_waited_for_while_a_grandchild_holds_the_pipe(roof: Roof) -> None:
    roof.run("import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)")
    roof.watch(lambda: roof.children[0].deaths == 1)
    for line in roof.lines:
        psutil.Process(int(line.split()[1])).kill()


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def test_what_does_not_end_in_time_is_killed(roof: Roof, caplog: pytest.LogCaptureFixture) -> None:
    roof.run(STUBBORN)
    roof.watch(lambda: "child     deaf" in roof.lines)
    roof.stop(timeout=0.1)
    process = roof.children[0].process
    assert process is not None
    assert process.returncode == -signal.SIGKILL
    assert "child did not end in time" in caplog.text


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


def test_what_the_others_lean_on_ends_last(roof: Roof, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        roof.run(LEAVING, str(tmp_path / "left"), name, name=name)
    roof.watch(lambda: len(roof.lines) == 3)
    roof.stop()
    assert (tmp_path / "left").read_text().split()[-1] == "first"


def test_work_that_blocks_does_not_stop_the_watch(roof: Roof) -> None:
    roof.run("raise SystemExit(3)")

    def work() -> str:
        while roof.children[0].deaths < 3:
            time.sleep(0.01)
        return "done"

    assert roof.during(work) == "done"


def test_an_error_of_the_work_is_raised_where_it_is_waited_for(roof: Roof) -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        roof.during(work)
    assert not roof.has_left_work


def test_work_is_left_when_the_end_is_asked_for(roof: Roof) -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        roof.request_stop()
        release.wait(60)
        return "late"

    assert roof.during(work) is None
    assert begun.is_set()
    assert roof.has_left_work
    release.set()


KILLED = """
import sys
from pipeline.devstack.supervisor import Supervisor

sleep = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
supervisor = Supervisor(lambda line: print(line, flush=True), pauses=(0.01,))
supervisor.add("child", sleep, {})
supervisor.watch()
"""


def test_kill_9_of_the_supervisor_ends_its_children_also_one_that_was_restarted(
    eventually: Eventually,
) -> None:
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
    eventually(lambda: not last.is_running())


def test_signals_that_come_together_end_the_watch_once(roof: Roof) -> None:
    before = signal.signal(signal.SIGINT, lambda *_: roof.request_stop())
    try:
        signals = [threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]) for _ in range(20)]
        for each in signals:
            each.start()
        roof.watch()
        for each in signals:
            each.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert roof.is_stopping


def test_a_child_that_cannot_be_started_is_tried_again(
    roof: Roof, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    roof.add("child", [str(program)], {})
    program.unlink()
    with caplog.at_level(logging.WARNING):
        roof.watch(lambda: roof.children[0].deaths == 3)
    assert "child cannot be started: No such file or directory" in caplog.text
