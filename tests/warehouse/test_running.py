"""What a loader's lock tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.warehouse.load.running import Running, missing


@pytest.fixture
def none(tmp_path: Path) -> str:
    return f"no loader runs with the home {tmp_path}"


def test_a_loader_that_runs_and_has_published_misses_nothing(tmp_path: Path, none: str) -> None:
    assert missing(tmp_path) == none
    running = Running(tmp_path)
    assert missing(tmp_path) == "the loader has not published since it started"
    running.published()
    assert missing(tmp_path) is None
    running.close()
    assert missing(tmp_path) == none


def test_what_the_last_loader_published_does_not_count(tmp_path: Path) -> None:
    last = Running(tmp_path)
    last.published()
    last.close()
    running = Running(tmp_path)
    assert missing(tmp_path) == "the loader has not published since it started"
    running.close()
