"""Rows that come on days of which some are beyond a term."""

from __future__ import annotations

from typing import Any

from factories import DAY, MINUTE, MORNING, Log, click

from pipeline.topics import Rejected

DAYS = DAY // MINUTE


def repeated(log: Log, number: int, *, device: str) -> None:
    """An event on the day, and its repeat."""
    event = click(number * DAYS)
    log.send(event, device=device)
    log.send(event, device=device)


def rejected(number: int, **fields: Any) -> Rejected:
    at = MORNING + number * DAY
    made: dict[str, Any] = {
        "request_id": f"{number:032x}",
        "store_id": "store",
        "received_at": at,
        "index": 0,
    }
    return Rejected(**{**made, "reason": "invalid", "detail": "", "raw": "{}", **fields})
