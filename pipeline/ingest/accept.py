"""One request's body to records of `beacons` and `rejected`: pure, without HTTP or Kafka."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field

import msgspec

from pipeline.domain.events import Beacon, Request
from pipeline.domain.identity import device_key, fingerprint_of, record_key
from pipeline.domain.reading import Reading
from pipeline.domain.refusal import Reason, Refusal
from pipeline.domain.timestamps import epoch_ms
from pipeline.domain.values import search_term_of
from pipeline.ingest.deep import Deep, without_deep
from pipeline.ingest.enrichment import visitor_of
from pipeline.ingest.sender import Sender
from pipeline.ingest.validate import too_deep, validate
from pipeline.ingest.wire import WireEvent
from pipeline.topics import Rejected

# The default of the setting.
MAX_EVENTS = 1000
MAX_EVENT_BYTES = 32 * 1024


class BadBodyError(Exception):
    """A body that is no request at all: 422 with these messages, nothing written."""


@dataclass(slots=True)
class Accepted:
    """Records for Kafka, (key, value) in order of each device's first event; and the refused.

    `types`: the event type of each valid event, in order.
    """

    records: list[tuple[bytes, bytes]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class _Body(msgspec.Struct):
    events: list[msgspec.Raw]
    received_at: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode


def accept(
    body: bytes,
    *,
    sender: Sender,
    request: Request,
    is_app: bool,
    received_at: int,
    max_events: int = MAX_EVENTS,
) -> Accepted:
    """Every event of `body`, valid or refused with its reason. Raises `BadBodyError`.

    `received_at` is epoch ms (T2). A sender with the right to backfill may give its own in the
    body, so that a recorded request replays exactly. `is_app`: the request came from an app.
    """
    envelope, deep = _read(body, max_events=max_events)
    if sender.may_backfill and bytes(envelope.received_at) not in (b"", b"null"):
        received_at = _replayed(envelope.received_at)
    accepted = Accepted()
    beacons: dict[str, Beacon] = {}
    for index, found in enumerate(envelope.events):
        raw = deep.get(bytes(found), found) if deep else found
        try:
            text = _text(raw)
            event, reading = validate(
                text, received_at=received_at, may_backfill=sender.may_backfill
            )
        except Refusal as refusal:
            accepted.rejected.append(
                Rejected(
                    store_id=sender.store_id,
                    received_at=received_at,
                    index=index,
                    reason=refusal.reason,
                    detail=refusal.detail,
                    raw=bytes(raw).decode(errors="replace"),
                    timezone=sender.timezone,
                )
            )
            continue
        accepted.types.append(event.event_type)
        device = device_key(event.device_id, event.session_id)
        beacon = beacons.get(device)
        if beacon is None:
            beacon = beacons[device] = Beacon(
                store_id=sender.store_id,
                device_key=device,
                received_at=received_at,
                request=request,
                events=[],
                raw=[],
                timezone=sender.timezone,
                is_trusted=sender.is_trusted,
                needs_confirmation=sender.needs_confirmation,
            )
        beacon.events.append(_written(event, reading, is_app=is_app))
        beacon.raw.append(found)
    for device, beacon in beacons.items():
        accepted.records.append((record_key(sender.store_id, device), _encode(beacon)))
    return accepted


def _read(body: bytes, *, max_events: int) -> tuple[_Body, dict[bytes, Deep]]:
    """The body, and what stands for an event that is too deep."""
    deep: dict[bytes, Deep] = {}
    try:
        text = mended(body)
        try:
            envelope = _decode(text)
        except RecursionError:
            text, deep = without_deep(text)
            envelope = _decode(text)
    except msgspec.ValidationError as error:
        raise BadBodyError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBodyError(f"not JSON: {error}") from None
    if not envelope.events:
        raise BadBodyError("events: is empty")
    if len(envelope.events) > max_events:
        raise BadBodyError(f"events: {len(envelope.events)} of at most {max_events}")
    return envelope, deep


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
# A pair of surrogates, a lone one, or any other escape. In JSON a backslash stands in strings
# only, so this reads them all in step and leaves every other byte as it was.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def mended(text: bytes) -> bytes:
    """JSON without a byte-order mark, and without lone surrogates.

    A query cut inside an emoji must not cost its batch.
    """
    text = text.removeprefix(BOM_UTF8)
    if not _HALF.search(text):
        return text
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def _text(raw: msgspec.Raw | Deep) -> str:
    if isinstance(raw, Deep):
        raise too_deep()
    if len(raw) > MAX_EVENT_BYTES:
        size = f"{len(raw)} bytes, at most {MAX_EVENT_BYTES}"
        raise Refusal(Reason.TOO_LARGE, "event", size)
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(Reason.NOT_AN_EVENT, "event", str(error)) from None


def _replayed(raw: msgspec.Raw) -> int:
    try:
        return epoch_ms(msgspec.json.decode(raw))
    except ValueError as error:
        raise BadBodyError(f"received_at: {error}") from None


def _written(event: WireEvent, reading: Reading | None, *, is_app: bool) -> msgspec.Raw:
    """The event as `beacons` carries it: canonical, with its fingerprint and what was added.

    What was dropped is not in the fingerprint, nor is what is made here (D1).
    """
    more = b""
    if event.user_agent is not None:
        # It stands in for a header, and headers are not in the fingerprint either.
        more = b',"visitor":%b' % _encode(visitor_of(event.user_agent))
        event.user_agent = None
    if event.query and (term := search_term_of(event.query)):
        more += b',"search_term":%b' % _encode(term)
    if reading is not None:
        if reading.extra:
            more += b',"extra":%b' % _encode(reading.extra)
        if reading.repairs:
            more += b',"repairs":%b' % _encode(reading.repairs)
    canonical = _encode(event)
    fingerprint = fingerprint_of(canonical).encode()
    if is_app and event.shopping_channel != "app":
        # After the fingerprint: a header is no field of the client's (D1).
        event.shopping_channel = "app"
        canonical = _encode(event)
    return msgspec.Raw(b'%b%b,"fingerprint":"%b"}' % (canonical[:-1], more, fingerprint))
