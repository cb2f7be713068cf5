"""Step two: the session that an event makes, extends or bridges (S1-S4)."""

from __future__ import annotations

from pipeline.domain.device import Device
from pipeline.domain.events import Event, Request
from pipeline.domain.sessions import Session, joined, session_of


def sessionize(
    device: Device, event: Event, request: Request, *, gap_ms: int
) -> tuple[Session, list[Session]]:
    """The session that `event` now stands in, and those that it took the place of.

    The gap itself still joins (S2); an event between two sessions can join both (S3).
    """
    session = session_of(event, request)
    at = event.occurred_at
    replaced: list[Session] = []
    others: list[Session] = []
    for other in device.sessions:
        if (
            other.session_id == event.session_id
            and other.started_at - gap_ms <= at <= other.ended_at + gap_ms
        ):
            session = joined(other, session)
            replaced.append(other)
        else:
            others.append(other)
    # A new list: the caller can restore the old one (process.py).
    device.sessions = [*others, session]
    return session, replaced
