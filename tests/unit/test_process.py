"""One outcome per record, whatever the record holds."""

from datetime import timedelta

import msgspec
import pytest
from factories import MORNING, Log, click, make_event, purchase

from pipeline.domain import process as module
from pipeline.domain.device import decode, encode, forget
from pipeline.domain.events import Beacon, Request
from pipeline.domain.rules import Rules
from pipeline.topics import MAX_RECORD_BYTES


def test_a_record_that_is_not_ours_becomes_one_failure_with_its_bytes() -> None:
    outcome = Log().append(b"key", b"\xff not json", appended_at=0)
    assert [failed.reason for failed in outcome.failed] == ["failed"]
    assert "not json" in outcome.failed[0].raw


def test_an_event_that_fails_fails_alone_and_is_kept_as_it_was_sent() -> None:
    events = [make_event(), make_event("teleport"), {**make_event(), "timestamp": "today"}]
    fields = [msgspec.Raw(msgspec.json.encode(event)) for event in events]
    raw = [msgspec.Raw(b'{"sent" : %d.00}' % number) for number in range(3)]
    beacon = Beacon(
        store_id="store", device_key="d:d", received_at=0, request=Request(), events=fields, raw=raw
    )
    outcome = Log().append(b"key", msgspec.json.encode(beacon), appended_at=MORNING)
    assert len(outcome.facts) == 1
    assert sorted(failed.raw for failed in outcome.failed) == ['{"sent" : 1.00}', '{"sent" : 2.00}']
    assert b"sent" not in bytes(outcome.facts[0])


def test_an_event_on_which_a_step_breaks_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    log.send(make_event(minute=0))
    real = module.attribute

    def broken(device: object, event: object, **rest: object) -> object:
        if event.query == "break":  # type: ignore[attr-defined]
            raise ValueError("broken")
        return real(device, event, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "attribute", broken)
    outcome = log.send(make_event("search", 1, query="break"), make_event(minute=2))
    assert [failed.detail for failed in outcome.failed] == ["ValueError: broken"]
    assert log.sessions() == [(0, 2, 2)]


def test_a_machine_that_breaks_is_not_an_events_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(module, "sessionize", broken)
    with pytest.raises(RecursionError):
        Log().send(make_event())


def test_state_survives_its_codec() -> None:
    log = Log()
    log.send(click(0), make_event("add_to_cart", 1))
    device = next(iter(log.devices.values()))
    assert decode(encode(device)) == device


def test_what_no_rule_can_ask_for_is_forgotten() -> None:
    log = Log()
    log.send(click(0), make_event("add_to_cart", 1))
    device = next(iter(log.devices.values()))
    horizon = log.stream_time + log.rules.lookback_ms + 1
    forget(device, horizon=horizon, rules=log.rules)
    assert device.is_empty()


def test_a_touch_is_kept_for_its_lookback() -> None:
    log = Log()
    log.send(click(0))
    device = next(iter(log.devices.values()))
    forget(device, horizon=log.stream_time + log.rules.lookback_ms, rules=log.rules)
    assert device.touches
    assert not device.keys
    assert not device.sessions


def test_a_device_stays_over_its_limit_until_what_found_no_room_is_behind_the_horizon() -> None:
    log = Log(Rules(lateness=timedelta(hours=1), most_keys=3))
    for minute in range(3):
        assert log.send(make_event(minute=minute)).facts
    without_room = make_event(minute=50)
    assert log.send(without_room).late
    # At minute 100 the first three are forgotten: there is room, but no key of `without_room`.
    log.send(make_event(minute=100), device="d:other")
    assert log.send(without_room).late
    assert log.send(make_event(minute=101)).late
    log.send(make_event(minute=162), device="d:other")
    assert log.send(make_event(minute=162)).facts


def test_no_state_and_no_outcome_outgrows_a_record() -> None:
    log = Log()
    lines = [{"product_id": number, "price": "1"} for number in range(1, 251)]
    for minute in range(20):
        # 100 clicks, then orders that all of them precede: paths times lines.
        clicks = [
            click(minute, "t" * 512, product_id=number, ms=number) for number in range(1, 101)
        ]
        orders = [
            purchase(minute + 0.5, *lines, ms=number, attribution_token="t" * 512)
            for number in range(20)
        ]
        outcome = log.send(*clicks, *orders)
        assert len(msgspec.json.encode(outcome)) < MAX_RECORD_BYTES / 4
    (device,) = log.devices.values()
    assert len(encode(device)) < MAX_RECORD_BYTES / 4
