"""Settings, and how child processes of `up` receive them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from pydantic import ValidationError

from pipeline.config import MEBIBYTE, Settings
from pipeline.domain.events import Request
from pipeline.ingest.accept import accept
from pipeline.ingest.sender import Sender
from pipeline.topics import MAX_RECORD_BYTES, topics

NOW = 1_764_000_000_000
LARGEST = 2 * MEBIBYTE


def test_every_setting_has_a_description() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_child_has_the_settings_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = Settings(
        _env_file=None,
        home=Path("elsewhere"),
        ingest_port=1234,
        session_gap=timedelta(minutes=1, milliseconds=5),
        maven_url="http://mirror.example/maven2",
        city_header="x-city",
        max_failed_share=0.25,
    )
    for name, value in parent.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == parent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_gap", timedelta(minutes=-1)),
        ("session_gap", timedelta(0)),
        ("lookback", timedelta(days=400)),
        ("lateness", timedelta(0)),
        ("ack_timeout", timedelta(0)),
        ("session_timeout", timedelta(seconds=5)),
        ("publish_interval", timedelta(seconds=-1)),
        ("max_body_bytes", LARGEST + 1),
        ("partitions", 0),
        ("ingest_port", 65536),
    ],
)
def test_an_unusable_value_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **{name: value})  # type: ignore[arg-type]


def test_every_topic_takes_the_largest_record() -> None:
    for topic in topics(Settings(_env_file=None)).all():
        assert topic.config["max.message.bytes"] == str(MAX_RECORD_BYTES)


def event(number: int, filling: bytes) -> bytes:
    return (
        b'{"event_type":"search","query":"","device_id":"d","session_id":"s","timestamp":%d,'
        b'"event_id":"%d",%b}' % (NOW, number, filling)
    )


def filled(filling: bytes, part: bytes, *, events: int) -> bytes:
    """A body of the largest size: `filling` with as many `part` as fit."""
    room = (LARGEST - 200 * events) // events
    times = (room - len(filling)) // len(part)
    parts = [event(number, filling % (part * times)) for number in range(events)]
    return b'{"events":[' + b",".join(parts) + b"]}"


@pytest.mark.parametrize("events", [1, 100, 1000, 5000])
@pytest.mark.parametrize(
    ("filling", "part"),
    [
        (b'"customer_id":"%b"', b'\\"'),
        (b'"customer_id":"%b"', b"\\u0001"),
        (b'"customer_id":"%b"', b"\xff"),
        (b'"customer_id":"%b"', "\u20ac".encode()),
        (b'"ignored":["\\ud83d"%b]', b',""'),
        (b'"ignored":["\\ud83d"%b]', b",1"),
        (b'"ignored":3%b', b"\n"),
        (b'"ignored":["%b"]', b'\\"'),
        (b'"block_id":["%b"]', b'\\"'),
        (b'"query":"%b"', b'\\"'),
        (
            b'"position":"1","quantity":"1","timestamp":"2025-11-24T15:59:59.000001Z"%b',
            b" ",
        ),
        (b'"items":[{"product_id":1,"\xc3\xa9":"%b"}]', b'\\"'),
    ],
)
def test_no_accepted_body_exceeds_a_record(filling: bytes, part: bytes, events: int) -> None:
    body = filled(filling, part, events=events)
    assert LARGEST * 0.7 < len(body) <= LARGEST
    accepted = accept(
        body,
        sender=Sender("shop"),
        request=Request(),
        is_app=False,
        received_at=NOW,
        max_events=10_000,
    )
    assert len(accepted.records) + len(accepted.rejected) > 0
    sizes = [len(key) + len(value) for key, value in accepted.records]
    sizes += [len(msgspec.json.encode(rejected)) for rejected in accepted.rejected]
    # Headers and framing take a few hundred bytes.
    assert max(sizes) < MAX_RECORD_BYTES / 2
