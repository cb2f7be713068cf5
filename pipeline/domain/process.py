"""One record of `beacons` in, one outcome out: deduplicate, sessionize, attribute."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pipeline.domain.attribute import attribute
from pipeline.domain.deduplicate import deduplicate
from pipeline.domain.device import Device, erase, is_over_limit, leave_to_warehouse
from pipeline.domain.duplicates import event_key, payload_of, remembered_until
from pipeline.domain.events import (
    Beacon,
    Event,
    Request,
    bounded,
    erased_until,
    place_in_time,
    visitor_of,
)
from pipeline.domain.outcome_builder import OutcomeBuilder
from pipeline.domain.outcomes import Duplicate, Failed, Origin, Outcome
from pipeline.domain.rules import Rules
from pipeline.domain.sessionize import sessionize

# The horizon before the first stream time: nothing is older, so nothing is late.
BEGINNING = -(2**62)

_beacons = msgspec.json.Decoder(Beacon)
_events = msgspec.json.Decoder(Event)


ReadEvent = tuple[Event, msgspec.Raw, msgspec.Raw]


def horizon_at(stream_time: int | None, rules: Rules) -> int:
    """The time (ms) before which an event is late, at the stream time before its record (T7)."""
    return BEGINNING if stream_time is None else stream_time - rules.lateness_ms


@dataclass(slots=True)
class BeaconRecord:
    """A record of `beacons`: the events that could be decoded, and the failures.

    `received_at` is bounded by T8. Beside each event stand its JSON and what the store sent.
    `erases_until` (ms) is that of a record that erases its device (E1).
    """

    beacon: Beacon | None
    received_at: int
    events: list[ReadEvent]
    failed: list[Failed]
    erases_until: int | None = None

    def latest(self, stream_time: int | None) -> int | None:
        """Stream time after the record: every time that can be read moves it (T6)."""
        times = [event.occurred_at for event, _, _ in self.events]
        if stream_time is not None:
            times.append(stream_time)
        return max(times, default=None)


def read(value: bytes, *, appended_at: int) -> BeaconRecord:
    """The record in `value`, each event placed in time (T1, T3, T8). Raises nothing but memory.

    `appended_at` is Kafka's append time in epoch ms.
    """
    try:
        beacon = _beacons.decode(value)
    except RecursionError as error:
        # The record itself is nested too deeply. Ingest writes no such record.
        return BeaconRecord(None, 0, [], [_failed(error, value)])
    except _CAUGHT as error:
        _let_pass(error)
        return BeaconRecord(None, 0, [], [_failed(error, value)])
    received_at = bounded(beacon.received_at, appended_at=appended_at)
    record = BeaconRecord(beacon, received_at, [], [])
    if beacon.is_erasure:
        record.erases_until = erased_until(appended_at)
    for fields, raw in zip(beacon.events, beacon.sent(), strict=True):
        try:
            event = _events.decode(fields)
        except _CAUGHT as error:
            _let_pass(error)
            record.failed.append(_failed(error, bytes(raw)))
        else:
            record.events.append((event, fields, raw))
    place_in_time([event for event, _, _ in record.events], received_at=received_at)
    return record


def process(
    record: BeaconRecord,
    device: Device,
    *,
    key: bytes,
    origin: Origin,
    stream_time: int | None,
    rules: Rules,
    digest: str,
    horizon: int,
) -> Outcome:
    """Apply `record` to `device` and return its outcome. Pure: a repeat gives the same result.

    `key` is the record's key, `stream_time` the partition's before the record, and `horizon` the
    time before which all of its events are late (T7); `digest` names `rules`.
    """
    outcome = Outcome(
        origin=origin,
        rules=digest,
        stream_time=stream_time,
        stream_time_after=record.latest(stream_time),
        failed=record.failed,
    )
    beacon = record.beacon
    if beacon is not None:
        outcome.store_id = beacon.store_id
        outcome.device_key = beacon.device_key
        outcome.received_at = record.received_at
        outcome.request = beacon.request
        outcome.timezone, outcome.is_trusted = beacon.timezone, beacon.is_trusted
        outcome.needs_confirmation = beacon.needs_confirmation
        if record.erases_until is not None:
            _erase(device, beacon, outcome, until=record.erases_until, rules=rules)
        _apply(record.events, device, outcome, key=key, horizon=horizon, rules=rules)
    device.origin = origin.offset
    return outcome


def _erase(device: Device, beacon: Beacon, outcome: Outcome, *, until: int, rules: Rules) -> None:
    if beacon.erased_customer is None:
        erase(device, until=until)
        outcome.erased_at = device.erased_at
        return
    # No row of the device is later than that, or can be reached for longer.
    latest = until if outcome.stream_time is None else max(until, outcome.stream_time)
    leave_to_warehouse(device, until=latest + max(rules.gap_ms, rules.lookback_ms))
    outcome.erased_at, outcome.erased_customer = until, beacon.erased_customer


def _apply(
    events: list[ReadEvent],
    device: Device,
    outcome: Outcome,
    *,
    key: bytes,
    horizon: int,
    rules: Rules,
) -> None:
    change = OutcomeBuilder()
    facts: list[msgspec.Raw] = []
    late: list[msgspec.Raw] = []
    duplicates: list[Duplicate] = []
    failed = list(outcome.failed)
    request = outcome.request
    erased_at = BEGINNING if device.erased_at is None else device.erased_at
    if outcome.received_at <= erased_at:
        # Nothing says when these occurred, and they hold what the device sent.
        outcome.erased, failed = len(failed), []
    for event, fields, raw in events:
        if event.occurred_at <= erased_at:
            outcome.erased += 1
            continue
        before = (device.sessions, device.touches, device.conversions)
        try:
            identity = event_key(
                key, event, is_prefetch=request.is_prefetch, is_trusted=outcome.is_trusted
            )
            event.event_key = identity.hex()
            event.order()  # raises for an event type without a rank
            kind = deduplicate(device, identity, event, horizon=horizon)
            if kind is not None:
                duplicates.append(Duplicate(event.event_key, kind))
                continue
            if event.occurred_at < horizon or is_over_limit(
                device, event, horizon=horizon, rules=rules
            ):
                late.append(_fact(event, fields))
                continue
            remembered = (remembered_until(event), payload_of(event))
            if not request.is_prefetch:  # a prefetched event is only a fact (P2)
                _derive(event, device, change, request, rules=rules)
        except _CAUGHT as error:
            _let_pass(error)
            # No step changes a list in place, so restoring the references undoes all of it.
            device.sessions, device.touches, device.conversions = before
            failed.append(_failed(error, bytes(raw)))
            continue
        device.keys[identity] = remembered
        facts.append(_fact(event, fields))
    outcome.facts, outcome.late, outcome.duplicates, outcome.failed = (
        facts,
        late,
        duplicates,
        failed,
    )
    outcome.sessions, outcome.sessions_gone = change.session_rows(key)
    outcome.conversions, outcome.touches = change.conversion_rows(
        device.touches, lookback_ms=rules.lookback_ms, most_touches=rules.most_touches
    )


def _derive(
    event: Event, device: Device, change: OutcomeBuilder, request: Request, *, rules: Rules
) -> None:
    """Sessionize and attribute. A failure has changed nothing but the lists of `device`."""
    is_bot = visitor_of(event, request).is_bot
    session, replaced = sessionize(device, event, request, gap_ms=rules.gap_ms)
    converted = attribute(device, event, is_bot=is_bot, lookback_ms=rules.lookback_ms)
    change.session(session, replaced)
    for conversion in converted:
        change.conversion(conversion)


_SKEWED = {False: b"}", True: b',"is_clock_skewed":true}'}


def _fact(event: Event, fields: msgspec.Raw) -> msgspec.Raw:
    """The event's JSON with the worker's fields appended, without encoding the rest again."""
    return msgspec.Raw(
        b'%b,"occurred_at":%d,"event_key":"%b"%b'
        % (
            bytes(fields).rstrip()[:-1],
            event.occurred_at,
            event.event_key.encode(),
            _SKEWED[event.is_clock_skewed],
        )
    )


# A failing rule fails one event. Out of memory or stack, the process must stop.
_CAUGHT = Exception


def _let_pass(error: Exception) -> None:
    if isinstance(error, (MemoryError, RecursionError)):
        raise error


def _failed(error: Exception, data: bytes) -> Failed:
    detail = f"{type(error).__name__}: {error}"
    return Failed("failed", detail, data.decode(errors="replace"))
