"""A run says at once what fails, and ends where it hangs: it may be killed before its end."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Generator

import pytest

GRACE = 60.0
_TERMINAL = pytest.StashKey[int]()


def limit(item: pytest.Item) -> float:
    """Seconds that pytest-timeout gives a test and its fixtures; 0: as long as they want."""
    if mark := item.get_closest_marker("timeout"):
        return float(mark.args[0])
    option = item.config.getoption("timeout")
    return float(item.config.getini("timeout") if option is None else option)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TERMINAL] = os.dup(2)  # before pytest captures it


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[_TERMINAL])


def _watch(item: pytest.Item) -> None:
    """Print every thread's stack and end this process, `GRACE` after pytest-timeout should have."""
    if seconds := limit(item):
        terminal = item.config.stash[_TERMINAL]
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=terminal)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """pytest-timeout's signal waits until C code returns, and a `finally` may wait again."""
    _watch(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """A failure has stopped both clocks, pytest-timeout's and this one, as debuggers like it."""
    _watch(item)
    return (yield)


class _Failures:
    """Prints each failure when it comes, not at the end of the run."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.when} of {report.nodeid} failed", red=True)
            self._terminal.write_line(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if terminal := session.config.pluginmanager.get_plugin("terminalreporter"):
        session.config.pluginmanager.register(_Failures(terminal))
