"""One event's text to a valid `WireEvent`, or to the reason why not."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from pipeline.domain.catalog import REQUIRED
from pipeline.domain.events import is_too_old
from pipeline.domain.values import is_too_much
from pipeline.ingest.deep import TOO_DEEP
from pipeline.ingest.wire import FieldError, WireEvent


class Reason(StrEnum):
    """Why an event was refused at the door."""

    NOT_AN_EVENT = "not_an_event"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MISSING_FIELD = "missing_field"
    INVALID_VALUE = "invalid_value"
    TOO_OLD = "too_old"


class Refusal(Exception):  # noqa: N818  # a refused event is a value of the trade, not an error
    """An event that is not valid: why, the field ("items.0.price"), what is wrong with it."""

    def __init__(self, reason: Reason, field: str, problem: str) -> None:
        self.reason = reason
        self.field = field
        self.detail = f"{field}: {problem}"
        super().__init__(self.detail)


_NEEDED = {kind: tuple(name.split("|") for name in names) for kind, names in REQUIRED.items()}

_decode = msgspec.json.Decoder(WireEvent).decode
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_INDEX = re.compile(r"\[(\d+)\]")


def validate(text: str, *, received_at: int, may_backfill: bool) -> WireEvent:
    """The event in `text`, a JSON value. Raises `Refusal`.

    `received_at` in ms decides what is too old (T4).
    """
    event = parse(text)
    _require(event)
    if not may_backfill and is_too_old(event.timestamp, received_at=received_at):  # type: ignore[arg-type]
        raise Refusal(Reason.TOO_OLD, "timestamp", "more than 30 days before it was received")
    return event


def parse(text: str) -> WireEvent:
    """The event in `text`, each field for itself valid. Raises `Refusal`."""
    try:
        return _decode(text)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None
    except msgspec.DecodeError as error:
        raise Refusal(Reason.NOT_AN_EVENT, "event", str(error)) from None
    except RecursionError:
        raise too_deep() from None


def too_deep() -> Refusal:
    """Of an event that cannot be read for its depth."""
    return Refusal(Reason.TOO_DEEP, "event", TOO_DEEP)


def _refusal(error: msgspec.ValidationError) -> Refusal:
    message, place, path = str(error).rpartition(" - at `$")
    if not place:
        message, path = path, ""
    path = _INDEX.sub(r".\1", path.strip("`.")).lstrip(".")
    if isinstance(error.__cause__, FieldError):
        field, message = message.split(": ", 1)
        return Refusal(Reason.INVALID_VALUE, _joined(path, field), message)
    if missing := _MISSING.fullmatch(message):
        return Refusal(Reason.MISSING_FIELD, _joined(path, missing[1]), "required")
    if not path:
        return Refusal(Reason.NOT_AN_EVENT, "event", message)
    if message.endswith("got `null`"):
        return Refusal(Reason.MISSING_FIELD, path, "required")
    if path == "event_type":
        return Refusal(Reason.UNKNOWN_EVENT_TYPE, path, message)
    return Refusal(Reason.INVALID_VALUE, path, message)


def _joined(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _require(event: WireEvent) -> None:
    """What the event's type requires, and what a price does. Raises `Refusal`."""
    for names in _NEEDED[event.event_type]:
        for name in names:
            if getattr(event, name) is not None:
                break
        else:
            wanted = " or ".join(names)
            raise Refusal(Reason.MISSING_FIELD, wanted, f"required by {event.event_type}")
    for line in (event, *(event.items or ())):
        if line.price is None:
            continue
        if event.currency is None:
            raise Refusal(Reason.MISSING_FIELD, "currency", "required with a price")
        if is_too_much(line.price, line.quantity or 1):
            raise Refusal(Reason.INVALID_VALUE, "price", "times quantity is 10^14 or more")
