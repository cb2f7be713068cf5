"""What one part of the code has logged: threads of other tests log in the same process."""

from __future__ import annotations

import logging

import pytest


def records(caplog: pytest.LogCaptureFixture, logger: str) -> list[logging.LogRecord]:
    """Those of `logger` and of the loggers under it."""
    return [record for record in caplog.records if f"{record.name}.".startswith(f"{logger}.")]


def logged(caplog: pytest.LogCaptureFixture, logger: str) -> list[str]:
    """Their messages."""
    return [record.getMessage() for record in records(caplog, logger)]
