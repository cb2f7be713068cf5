"""What `accept` makes of a body, on the pure core: no socket, no Kafka."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.events import Beacon, Event, Request, Visitor
from pipeline.ingest.accept import Accepted, BadBodyError, accept
from pipeline.ingest.sender import Sender

NOW_MS = 1_782_907_200_000
BASE = {"event_type": "search", "timestamp": NOW_MS, "session_id": "s", "query": "q"}
CLICK = {**BASE, "event_type": "product_click", "product_id": 1, "position": 1}
ORDER = {**BASE, "event_type": "purchase", "currency": "USD"}


def take(body: Any, *, may_backfill: bool = False, is_app: bool = False) -> Accepted:
    return accept(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        sender=Sender("shop", may_backfill),
        request=Request(),
        is_app=is_app,
        received_at=NOW_MS,
    )


def written(accepted: Accepted) -> list[Event]:
    """The events as the worker reads them."""
    beacons = [msgspec.json.decode(value, type=Beacon) for _, value in accepted.records]
    return [msgspec.json.decode(raw, type=Event) for beacon in beacons for raw in beacon.events]


def raws(accepted: Accepted) -> list[bytes]:
    """What the records keep of each event as it was sent."""
    beacons = [msgspec.json.decode(value, type=Beacon) for _, value in accepted.records]
    return [bytes(raw) for beacon in beacons for raw in beacon.raw]


def one(event: dict[str, Any], **options: Any) -> Event:
    accepted = take({"events": [event]}, **options)
    assert accepted.rejected == []
    return written(accepted)[0]


def test_the_canonical_json_is_what_the_fingerprint_is_taken_of() -> None:
    event = {
        **ORDER,
        "timestamp": "2026-07-01T14:00:00+02:00",
        "unknown": "left out",
        "customer_id": None,
        "contextual_data": {"b": [{"z": 1, "ä": None}], "a": 1.5},
        "items": [{"variant_id": "2", "product_id": "1", "price": "5.00", "quantity": 2}],
    }
    canonical = (
        '{"contextual_data":{"a":1.5,"b":[{"z":1,"ä":null}]},"currency":"USD",'
        '"event_type":"purchase","items":[{"price":"5","product_id":1,"quantity":2,"variant_id":2}],'
        '"query":"q","session_id":"s","timestamp":1782907200000}'
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:32]
    # Written out, so that another version of a library cannot quietly make every event new.
    assert digest == "30dc66ed486ca3b30a5c446bdbadde06"
    assert one(event).fingerprint == digest
    assert one(dict(reversed(event.items())), is_app=True).fingerprint == digest


@pytest.mark.parametrize(
    ("sent", "is_app", "channel"),
    [(None, False, "web"), (None, True, "app"), ("app", False, "app"), ("web", True, "app")],
)
def test_the_app_header_decides_the_channel_then_the_event(
    sent: str | None, channel: str, *, is_app: bool
) -> None:
    event = {**BASE, "shopping_channel": sent}
    assert one(event, is_app=is_app).shopping_channel == channel
    ((_, value),) = take({"events": [event]}, is_app=is_app).records
    (raw,) = msgspec.json.decode(value, type=Beacon).events
    # Absent is the web, and no name stands twice.
    assert bytes(raw).count(b'"shopping_channel":') == (sent is not None or is_app)


def test_a_user_agent_in_the_event_is_the_visitors() -> None:
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile Safari/604.1"
    phone = Visitor(device_type="mobile", browser="Mobile Safari", os="iOS")
    crawler = Visitor(browser="Googlebot", is_bot=True)
    assert one({**BASE, "user_agent": agent}).visitor == phone
    assert one({**BASE, "user_agent": "Googlebot/2.1"}).visitor == crawler
    assert one(BASE).visitor is None


def test_a_user_agent_is_kept_in_raw_alone_and_is_not_in_the_fingerprint() -> None:
    ((_, value),) = take({"events": [{**BASE, "user_agent": "Mozilla/5.0 X"}]}).records
    beacon = msgspec.json.decode(value, type=Beacon)
    (fields,), (raw,) = beacon.events, beacon.raw
    assert b"Mozilla" in bytes(raw)
    assert b"Mozilla" not in bytes(fields)
    assert json.loads(bytes(fields))["fingerprint"] == one(BASE).fingerprint


def test_raw_is_the_clients_own_text_of_each_of_its_events() -> None:
    first = (
        f'{{ "query" : "\\u0041" , "event_type":"search",\n"session_id":"s","timestamp":{NOW_MS} }}'
    )
    other = first.replace('"s"', '"é"')
    accepted = take(f'{{"events":[{first} ,{other},\n{first}]}}'.encode())
    assert [raw.decode() for raw in raws(accepted)] == [first, first, other]


def test_of_two_equal_names_the_last_counts_everywhere() -> None:
    text = json.dumps(BASE)[:-1] + ', "query": "last"}'
    (event,) = written(take(b'{"events":[%b]}' % text.encode()))
    assert event.query == "last"


HOSTILE = [
    b"[" * 300 + b"]" * 300,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"x":' * 300 + b"1" + b"}" * 300,
    b'{"product_id":' + b"9" * 6000 + b"}",
    b'{"query":"\xff"}',
    b"3",
    b"null",
    b'"text"',
]


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_hostile_event_is_one_rejected_event(raw: bytes) -> None:
    good = json.dumps(BASE).encode()
    accepted = take(b'{"events":[%b,%b,%b]}' % (good, raw, good))
    assert [rejected.index for rejected in accepted.rejected] == [1]
    assert len(written(accepted)) == 2


BODIES = [b"", b"{", b"[]", b"3", b"{}", b'{"events":null}', b'{"events":[]}', b'{"events":{}}']


@pytest.mark.parametrize("body", [*BODIES, b'{"events":[NaN]}'])
def test_what_is_no_batch_of_events_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BadBodyError):
        take(body)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = sorted({*BASE, *CLICK, *ORDER, "items", "price", "contextual_data", "device_id"})


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_rubbish_gives_only_the_one_error(body: bytes) -> None:
    with suppress(BadBodyError):
        take(body)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), ANYTHING) | ANYTHING, min_size=1))
def test_every_event_is_in_a_record_or_rejected_and_the_worker_can_read_it(
    events: list[Any],
) -> None:
    mixed = [{**ORDER, **event} if isinstance(event, dict) else event for event in events][:100]
    body = json.dumps({"events": mixed}, ensure_ascii=False).encode("utf-8", "replace")
    accepted = take(body)
    assert len(written(accepted)) + len(accepted.rejected) == len(mixed)


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\uDE00"])
def test_half_a_surrogate_pair_costs_one_character_not_the_batch(half: bytes) -> None:
    text = json.dumps({**BASE, "query": "@"}).encode()
    body = text.replace(b"@", rb"\\ud83d \ud83d\ude00 " + half)
    accepted = take(b'{"events":[%b,%b]}' % (body, text))
    first, second = written(accepted)
    assert (first.query, second.query) == ("\\ud83d \U0001f600 \ufffd", "@")
    assert json.loads(raws(accepted)[0])["query"] == first.query
