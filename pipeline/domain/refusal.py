"""Why an event is refused at ingest."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an event was refused at ingest."""

    NOT_AN_EVENT = "not_an_event"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MISSING_FIELD = "missing_field"
    SENTINEL_ID = "sentinel_id"
    INVALID_VALUE = "invalid_value"
    TOO_OLD = "too_old"


class Refusal(Exception):  # noqa: N818  # a refused event is a value of the trade, not an error
    """An event that is not valid: why, the field ("items.0.price"), what is wrong with it."""

    def __init__(self, reason: Reason, field: str, problem: str) -> None:
        self.reason = reason
        self.field = field
        self.detail = f"{field}: {problem}"
        super().__init__(self.detail)
