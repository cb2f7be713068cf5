from __future__ import annotations

import logging
import sys

import pytest

from pipeline.process.log_throttle import MOST_KINDS, QUIET_SECONDS, Seldom


class Log:
    """What passes, by a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seldom = Seldom(lambda: self.now, but_for="supervisor")
        self.repeats = 0
        """Of the last record that passed."""

    def say(self, text: str, *values: object, level: int = logging.ERROR, name: str = "x") -> str:
        record = logging.LogRecord(name, level, "", 0, text, values, None)
        if not self.seldom.filter(record):
            return ""
        self.repeats = getattr(record, "repeats", 0)
        return record.getMessage()


@pytest.fixture
def log() -> Log:
    return Log()


def test_what_differs_in_numbers_alone_is_said_once_a_minute_and_counted(log: Log) -> None:
    assert log.say("node %s is gone after %d ms", "b", 17) == "node b is gone after 17 ms"
    for number in range(5):
        log.now += 1
        assert log.say("node %s is gone after %d ms", "b", number) == ""
    log.now = QUIET_SECONDS
    assert log.say("node b is gone after 1 ms") == "node b is gone after 1 ms (and 5 times before)"
    assert log.repeats == 5
    log.now += QUIET_SECONDS
    assert log.say("node b is gone after 1 ms") == "node b is gone after 1 ms"


def test_another_text_level_or_logger_is_another_thing(log: Log) -> None:
    assert log.say("%s", "one")
    assert log.say("%s", "two")
    assert log.say("%s", "one", level=logging.WARNING)
    assert log.say("%s", "one", name="y")
    assert log.say("%s", "one") == ""


def test_a_broken_connection_has_no_traceback_and_a_broken_program_has() -> None:
    for error, is_shown in ((ConnectionResetError(104, "reset"), False), (KeyError("x"), True)):
        try:
            raise error
        except (OSError, KeyError):
            record = logging.LogRecord("x", logging.ERROR, "", 0, "a %s", ("b",), sys.exc_info())
        assert Seldom(lambda: 0.0, but_for="").filter(record)
        assert bool(record.exc_info) is is_shown
        assert record.getMessage() == ("a b" if is_shown else "a b: [Errno 104] reset")


def test_a_logger_that_is_left_out_is_never_held_back(log: Log) -> None:
    for _ in range(2):
        assert log.say("worker ended with code 1", name="supervisor")


def test_it_remembers_a_bounded_number(log: Log) -> None:
    def word(number: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in str(number))

    for number in range(2 * MOST_KINDS):
        assert log.say(word(number))
    assert log.say(word(2 * MOST_KINDS - 1)) == ""
    assert log.say(word(0))
