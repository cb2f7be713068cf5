"""One event's text to a valid `WireEvent`, or to the reason why not."""

from __future__ import annotations

import msgspec

from pipeline.domain.catalog import SHAPE, read_event
from pipeline.domain.events import is_too_old
from pipeline.domain.reading import Reading
from pipeline.domain.refusal import Reason, Refusal
from pipeline.ingest.deep import TOO_DEEP
from pipeline.ingest.wire import Item, WireEvent, plain_event

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode
_KNOWN = frozenset({*SHAPE.readers, "items"})


def validate(
    text: str, *, received_at: int, may_backfill: bool
) -> tuple[WireEvent, Reading | None]:
    """The event in `text`, a JSON value, and its reading where it needed one. Raises `Refusal`.

    `received_at` in ms decides what is too old (T4).
    """
    reading: Reading | None = None
    try:
        event = plain_event(text)
        if event is None:
            reading = reading_of(text)
    except RecursionError:
        raise too_deep() from None
    if reading is not None:
        if reading.refusals:
            # Popped, for a list of this frame that held it would close a cycle by its traceback.
            raise reading.refusals.pop(0)
        event = _event_of(reading)
    if not may_backfill and is_too_old(event.timestamp, received_at=received_at):  # type: ignore[union-attr, arg-type]
        raise Refusal(Reason.TOO_OLD, "timestamp", "more than 30 days before it was received")
    return event, reading  # type: ignore[return-value]


def reading_of(text: str) -> Reading:
    """What the event in `text` says. Raises RecursionError."""
    try:
        raw = _fields(text)
    except msgspec.DecodeError as error:
        return Reading(refusals=[Refusal(Reason.NOT_AN_EVENT, "event", str(error))])
    reading = read_event({name: _of(name, value) for name, value in raw.items()})
    for name in reading.extra:
        # As they came; of lines that were read, only what they hold beside their fields.
        if name != "items" or "items" not in reading.values:
            reading.extra[name] = raw[name]
    return reading


def too_deep() -> Refusal:
    """Of an event that cannot be read for its depth."""
    return Refusal(Reason.TOO_DEEP, "event", TOO_DEEP)


def _of(name: str, raw: msgspec.Raw) -> object:
    if name not in _KNOWN:
        return raw
    try:
        return _value(raw)
    except (msgspec.DecodeError, ValueError):
        # A number that is out of every range: no field reads it.
        return raw


def _event_of(reading: Reading) -> WireEvent:
    values = dict(reading.values)
    if items := values.get("items"):
        values["items"] = [Item(**line) for line in items]
    return WireEvent(**values)
