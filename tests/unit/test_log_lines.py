from __future__ import annotations

import io
import json
import logging
import sys
from types import TracebackType

import pytest

from pipeline.process.log_lines import LogLines, is_json, is_log_line, message_of

Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def record(message: str, *values: object, exc_info: Raised | None = None) -> logging.LogRecord:
    made = logging.LogRecord("pipeline.x", logging.ERROR, "f.py", 1, message, values, exc_info)
    made.created = 0.5
    return made


def test_a_json_line_has_time_process_and_worker() -> None:
    line = LogLines(process="worker", name="w-1").format(record("no room on %s\x1b[2J", "/data"))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "error",
        "process": "worker",
        "worker": "w-1",
        "logger": "pipeline.x",
        "message": "no room on /data�[2J",
    }


def test_what_was_held_back_before_is_a_number_of_its_own() -> None:
    made = record("no room")
    made.repeats = 7
    assert json.loads(LogLines().format(made))["repeats"] == 7


def test_a_text_line_begins_with_its_time() -> None:
    line = LogLines(is_json=False, process="load").format(record("no room"))
    assert line == "1970-01-01T00:00:00.500Z ERROR no room"


def test_a_traceback_is_in_the_same_line_of_json_and_behind_that_of_text() -> None:
    try:
        int("a slip")
    except ValueError:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        assert error is not None
        raised = (kind, error, trace)
    found = LogLines().format(record("failed", exc_info=raised))
    assert "\n" not in found
    assert json.loads(found)["traceback"].startswith("Traceback")
    assert LogLines(is_json=False).format(record("failed", exc_info=raised)).count("\n") > 2


@pytest.mark.parametrize(
    ("log_format", "is_terminal", "expected"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("json", True, True),
        ("text", False, False),
    ],
)
def test_a_terminal_gets_text_unless_the_setting_says_otherwise(
    log_format: str, *, is_terminal: bool, expected: bool
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    assert is_json(log_format, Stream()) is expected


def test_the_message_of_a_line_is_found_and_other_output_is_left_as_it_is() -> None:
    line = LogLines(process="worker").format(record("no room"))
    assert (message_of(line), is_log_line(line)) == ("ERROR no room", True)
    for other in ("Error: no Kafka", '{"level": 3}', "{", ""):
        assert (message_of(other), is_log_line(other)) == (other, False)
