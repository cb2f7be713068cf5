"""Half a year in order of time, sent by `pipeline send`: the lateness of the real rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from processes import wait_published
from tables import broken_checks

from pipeline.config import Settings
from pipeline.replay.pacing import Pacing
from pipeline.replay.send import send

BEGIN, DAYS = datetime(2026, 1, 1, tzinfo=UTC), 180
DEVICES = 40
EVER = timedelta(days=10_000)


def history() -> Iterator[dict[str, Any]]:
    """Four visits a day, of two devices each."""
    for number in range(4 * DAYS):
        for device in (number % DEVICES, (number * 7 + 1) % DEVICES):
            yield {
                "event_type": "search",
                "timestamp": (BEGIN + number * timedelta(hours=6)).isoformat(),
                "session_id": f"s{number}",
                "device_id": f"d{device}",
                "query": "linen",
            }


def arrived(settings: Settings, url: str, tokens: dict[str, str]) -> tuple[int, int, int]:
    """Events in the snapshot, those of them that are late, and late ones by the view."""
    file = Path(settings.home) / "history.ndjson"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in history()))
    assert send([str(file)], url, tokens) == 0
    wait_published(settings)
    assert broken_checks(settings.database) == []
    with duckdb.connect(settings.database, read_only=True) as connection:
        count = "SELECT count(*), count(*) FILTER (WHERE is_late) FROM events"
        ((events, late),) = connection.execute(count).fetchall()
        ((told,),) = connection.execute("SELECT sum(late_events) FROM quality").fetchall()
    return events, late, told


def test_a_file_in_order_of_time_produces_no_late_event(
    settings: Settings, url: str, tokens: dict[str, str]
) -> None:
    assert arrived(settings, url, tokens) == (8 * DAYS, 0, 0)


def test_without_pacing_most_events_are_late(
    settings: Settings, url: str, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.replay.send.Pacing", lambda: Pacing(EVER))
    events, late, told = arrived(settings, url, tokens)
    assert events == 8 * DAYS
    assert late == told > events / 2
