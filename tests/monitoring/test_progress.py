from __future__ import annotations

import logging

import pytest
from logged import logged, records

from pipeline.monitoring.progress import INTERVAL, Progress
from pipeline.process.log_throttle import QUIET_SECONDS, Seldom


def test_a_line_a_minute_says_what_was_done_and_what_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    progress = Progress(lambda: now)
    seldom = Seldom(lambda: now, but_for="")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            progress.add(records=2, events=5)
            progress.tell(behind=7)
            now += INTERVAL
            progress.tell(behind=7)
    line = "in the last minute 2 records with 5 events; 7 records wait"
    assert logged(caplog, "pipeline.monitoring") == [line] * 3
    # None of them is held back as a repeat.
    assert INTERVAL > QUIET_SECONDS
    assert seldom.filter(records(caplog, "pipeline.monitoring")[0])


def test_a_process_without_work_is_silent_and_one_that_does_not_come_on_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    progress = Progress(lambda: now)
    with caplog.at_level(logging.INFO):
        now += INTERVAL
        progress.tell(behind=0)
        assert not records(caplog, "pipeline.monitoring")
        now += INTERVAL
        progress.tell(behind=3)
    assert logged(caplog, "pipeline.monitoring")[0].endswith("0 events; 3 records wait")
