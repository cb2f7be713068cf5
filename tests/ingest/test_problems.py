from __future__ import annotations

import io
import json
import logging
from datetime import timedelta
from typing import Any

from pipeline.ingest.json_log import Problems


class Log:
    """A `Problems` on text, and records of a second of one's own."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self.problems = Problems(self.text, quiet=timedelta(minutes=1))

    def say(self, at: float, message: str, *args: object, **more: Any) -> None:
        record = logging.LogRecord("here", logging.WARNING, "f.py", 1, message, args, None)
        record.created = at
        record.exc_info = more.get("exc_info")
        self.problems.handle(record)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.getvalue().splitlines()]


def test_a_line_is_json_with_its_time_level_and_message() -> None:
    log = Log()
    log.say(0.5, "not there: %s", 'a "quote"\nand a line')
    assert log.lines() == [
        {
            "time": "1970-01-01T00:00:00.500Z",
            "level": "warning",
            "logger": "here",
            "message": 'not there: a "quote"\nand a line',
        }
    ]


def test_what_comes_again_within_a_minute_is_one_line_more_with_its_count() -> None:
    log = Log()
    for number in range(1000):
        log.say(number / 100, "no %s", number)
    log.problems.write_repeats(59.9)
    assert [line["message"] for line in log.lines()] == ["no 0"]
    log.problems.write_repeats(60)
    assert [(line["message"], line.get("repeats")) for line in log.lines()] == [
        ("no 0", None),
        ("no 999", 999),
    ]
    log.say(61, "no %s", "more")
    assert log.lines()[-1]["message"] == "no more"


def test_another_problem_is_told_at_once() -> None:
    log = Log()
    log.say(0, "this")
    log.say(0, "that")
    assert [line["message"] for line in log.lines()] == ["this", "that"]


def test_what_is_counted_is_told_at_the_end() -> None:
    log = Log()
    for _ in range(3):
        log.say(0, "this")
    log.problems.close()
    assert [line.get("repeats") for line in log.lines()] == [None, 2]


def test_an_exception_stays_in_its_line() -> None:
    log = Log()
    try:
        int("what")
    except ValueError as error:
        log.say(0, "failed", exc_info=(type(error), error, error.__traceback__))
    (line,) = log.lines()
    assert "ValueError: invalid literal" in line["traceback"]
