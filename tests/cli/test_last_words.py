"""The error that ends a process is a line of its log; what a person started says it as text."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from processes import Pipeline, Verb, wait_for

from pipeline.cli.verb_log import PROCESSES
from pipeline.config import Settings
from pipeline.kafka.admin import create_topics

# A worker with a fault, which has logged its own last words just before.
SLIP = """
import logging
from pipeline.cli.command import run_with_settings
def worker(settings):
    logging.getLogger("pipeline.cli.verb_log").error("KeyError: 1")
    raise KeyError(2)
run_with_settings(worker)
"""
# A command of which a thread fails, as soon as it serves its metrics, and another logs on.
DOOMED = """
import logging, sys, threading
from pipeline.cli.main import main
from pipeline.monitoring.monitor import Monitor
enter = Monitor.__enter__
def fail():
    raise KeyError("a\\nb")
def log():
    while True:  # of a logger that is never held back
        logging.getLogger("pipeline.devstack.supervisor").info("on and on")
def entered(monitor):
    threading.Thread(target=log, daemon=True).start()
    threading.Thread(target=fail, name="doomed").start()
    return enter(monitor)
Monitor.__enter__ = entered
main(sys.argv[1:])
"""
# What Python itself writes to stderr.
ASIDE = """
import warnings
from pipeline.cli.command import run_with_settings
class Careless:
    def __del__(self):
        raise KeyError(3)
def worker(settings):
    warnings.warn("careless")
    Careless()
run_with_settings(worker)
"""


def line_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (line,) = done.stderr.splitlines()
    said: dict[str, Any] = json.loads(line)
    assert said.pop("time").endswith("Z")
    return said


@pytest.mark.parametrize("verb", [each for each in PROCESSES if each not in ("up", "dashboard")])
def test_they_are_an_error_in_the_log(pipeline: Pipeline, verb: str) -> None:
    done = pipeline(verb, worker_name="w-1")
    said = line_of(done)
    assert done.returncode == 1
    assert said.pop("message").startswith("no Kafka: start `pipeline up`")
    named = {"level": "error", "process": verb, "worker": "w-1"}
    assert said == {**named, "logger": "pipeline.cli.verb_log"}


def test_a_process_that_is_refused_its_address_says_so_in_its_log(pipeline: Pipeline) -> None:
    said = line_of(pipeline("dashboard", dashboard_host="0.0.0.0", dashboard_port="0"))  # noqa: S104
    assert (said["level"], said["process"]) == ("error", "dashboard")
    assert "listens beyond this machine" in said["message"]
    said = line_of(pipeline("up", ingest_host="nowhere.invalid"))
    assert (said["level"], said["process"]) == ("error", "up")


def test_a_setting_that_cannot_be_read_is_a_line_too(pipeline: Pipeline) -> None:
    done = pipeline("load", partitions="x")
    assert (done.returncode, line_of(done)["level"]) == (1, "error")
    done = pipeline("load", partition="x")
    assert (done.returncode, line_of(done)["level"]) == (1, "error")


def test_they_are_text_where_the_log_is_and_for_other_commands(pipeline: Pipeline) -> None:
    for done in (pipeline("load", log_format="text"), pipeline("status", log_format="json")):
        assert (done.returncode, done.stderr[:16]) == (1, "Error: no Kafka:")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_unexpected_error_is_never_held_back_and_has_its_traceback(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_LOG_FORMAT", log_format)
    done = subprocess.run([sys.executable, "-c", SLIP], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    if log_format == "text":
        assert lines[-1] == "KeyError: 2"
        return
    before, last = map(json.loads, lines)
    assert (before["message"], last["message"]) == ("KeyError: 1", "KeyError: 2")
    assert (last["level"], last["process"]) == ("error", "worker")
    assert last["traceback"].startswith("Traceback")


@pytest.mark.parametrize("verb", ["worker", "load", "dashboard"])
def test_an_error_that_ends_a_thread_ends_the_process_and_is_its_last_line(
    verb: str, settings: Settings
) -> None:
    create_topics(settings)
    doomed = Verb(verb, settings, program=("-c", DOOMED))
    try:
        wait_for(doomed.is_ended)
        assert doomed.process is not None
        assert doomed.process.returncode == 1
    finally:
        doomed.kill()
    last = json.loads(doomed.raw().splitlines()[-1])
    assert (last["level"], last["process"]) == ("error", verb)
    assert last["message"] == "thread doomed: KeyError: 'a\\nb'"
    assert last["traceback"].startswith("Traceback")


def test_what_python_says_aside_is_a_line_of_the_log() -> None:
    done = subprocess.run([sys.executable, "-c", ASIDE], capture_output=True, text=True, check=True)
    warned, raised = map(json.loads, done.stderr.splitlines())
    assert (warned["level"], raised["level"]) == ("warning", "error")
    assert "careless" in warned["message"]
    assert "KeyError: 3" in raised["traceback"]
