"""The contract, row by row, on the pure core: no socket, no Kafka."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.events import Beacon, Event, Request
from pipeline.ingest.accept import Accepted, BadBodyError, Sender, accept

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOW_MS = 1_782_907_200_000
BASE = {"event_type": "search", "timestamp": NOW_MS, "session_id": "s", "query": "q"}
CLICK = {**BASE, "event_type": "product_click", "product_id": 1, "position": 1}
ORDER = {**BASE, "event_type": "purchase", "currency": "USD"}
ABSENT = object()


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


def one(event: dict[str, Any], **options: Any) -> Event:
    accepted = take({"events": [event]}, **options)
    assert accepted.rejected == []
    return written(accepted)[0]


def refused(event: Any) -> tuple[str, str]:
    """Reason, and the field that the detail names."""
    accepted = take({"events": [event]})
    assert accepted.records == []
    (rejected,) = accepted.rejected
    assert json.loads(rejected.raw) == event
    return rejected.reason, rejected.detail.partition(":")[0]


def test_the_published_example_is_valid_as_it_stands() -> None:
    common = {"timestamp": NOW.isoformat(), "session_id": "s"}
    events = [
        {**common, "event_type": "product_click", "product_id": 7003338965178, "position": 1},
        {**common, "event_type": "collection_view", "collection_handle": "shoes"},
        {**common, "event_type": "block_view", "attribution_token": "token"},
    ]
    assert take({"events": events}).rejected == []


REQUIRED = {
    "product_view": [("product_id",)],
    "add_to_cart": [("product_id",)],
    "product_click": [("product_id",), ("position",)],
    "product_impression": [("product_id",), ("position",)],
    "product_hover": [("product_id",), ("position",)],
    "product_touch": [("product_id",), ("position",)],
    "collection_view": [("collection_handle",)],
    "search": [("query",)],
    "autocomplete": [("query",)],
    "block_view": [("attribution_token", "block_id")],
    "purchase": [("items", "product_id")],
    "refund": [("order_id",), ("items", "product_id")],
}
VALUES = {
    "product_id": 1,
    "position": 1,
    "collection_handle": "c",
    "query": "",
    "attribution_token": "t",
    "block_id": "b",
    "order_id": "o",
    "items": [{"product_id": 1}],
}


@pytest.mark.parametrize("event_type", REQUIRED)
def test_each_type_needs_its_fields_and_null_counts_as_absent(event_type: str) -> None:
    base = {"event_type": event_type, "timestamp": NOW_MS, "session_id": "s"}
    choices = REQUIRED[event_type]
    full = {name: VALUES[name] for choice in choices for name in choice}
    for choice in choices:
        none = full | dict.fromkeys(choice)
        assert refused(base | none) == ("missing_field", " or ".join(choice))
        for name in choice:
            one(base | none | {name: VALUES[name]})


@pytest.mark.parametrize("name", ["event_type", "timestamp", "session_id"])
@pytest.mark.parametrize("value", [ABSENT, None])
def test_three_fields_are_required_in_every_event(name: str, value: Any) -> None:
    event = {key: held for key, held in BASE.items() if key != name}
    assert refused(event if value is ABSENT else {**event, name: None}) == ("missing_field", name)


@pytest.mark.parametrize("value", ["view", "Search", "", 3, ["search"]])
def test_an_event_type_is_one_of_the_twelve(value: Any) -> None:
    assert refused({**BASE, "event_type": value})[0] == "unknown_event_type"


@pytest.mark.parametrize("value", [7003338965178, "7003338965178", 1, 2**63 - 1, str(2**63 - 1)])
@pytest.mark.parametrize("name", ["product_id", "variant_id"])
def test_an_id_is_an_integer_or_the_same_in_digits(name: str, value: Any) -> None:
    assert getattr(one({**CLICK, name: value}), name) == int(value)


BAD_IDS = [0, -1, 1e20, 1.5, 3.0, True, 2**63, "3.0", " 3", "+3", "0", "", "\u0661", [1], 10**400]


@pytest.mark.parametrize("value", BAD_IDS)
@pytest.mark.parametrize("name", ["product_id", "variant_id"])
def test_nothing_else_is_an_id(name: str, value: Any) -> None:
    assert refused({**CLICK, name: value}) == ("invalid_value", name)


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, 2**63])
def test_a_position_is_an_integer_from_1(value: Any) -> None:
    assert refused({**CLICK, "position": value}) == ("invalid_value", "position")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (5, "5"), (5.0, "5"), ("5.00", "5"), ("0", "0"), (0.0001, "0.0001"), ("0012.50", "12.5"),
        (19.99, "19.99"), (10**10, "10000000000"), (9999999999.9999, "9999999999.9999"),
    ],
)  # fmt: skip
def test_a_price_is_a_decimal_and_has_one_spelling(value: Any, canonical: str) -> None:
    assert one({**ORDER, "product_id": 1, "price": value}).price == canonical


BAD_PRICES = [-1, "-1", 0.00001, "1.23456", 10**10 + 1, "10000000000.0001", "1e2", " 1", "", True]


@pytest.mark.parametrize("value", [*BAD_PRICES, "NaN", 1e300, [1]])
def test_nothing_else_is_a_price(value: Any) -> None:
    assert refused({**ORDER, "product_id": 1, "price": value}) == ("invalid_value", "price")


@pytest.mark.parametrize("value", [0, -1, 10**6 + 1, 1.0, "1", True])
def test_a_quantity_is_an_integer_to_a_million(value: Any) -> None:
    event = {**ORDER, "product_id": 1, "quantity": value}
    assert refused(event) == ("invalid_value", "quantity")


def test_a_price_needs_its_currency_and_a_line_must_fit_its_column() -> None:
    line = {"product_id": 1, "price": 10**10, "quantity": 9999}
    assert one({**ORDER, "items": [line]}).lines()[0].quantity == 9999
    assert refused({**ORDER, "items": [{**line, "quantity": 10**4}]})[0] == "invalid_value"
    assert refused({**ORDER, "items": [line], "currency": None})[0] == "missing_field"
    assert refused({**CLICK, "price": 1})[0] == "missing_field"
    one({**ORDER, "items": [{"product_id": 1}], "currency": None})


@pytest.mark.parametrize("value", ["usd", "US", "USDX", "ÜSD", 3])
def test_a_currency_is_three_capital_letters(value: Any) -> None:
    assert refused({**BASE, "currency": value}) == ("invalid_value", "currency")


LIMITS = [
    ("session_id", 1, 256), ("device_id", 1, 256), ("event_id", 1, 256), ("block_id", 1, 256),
    ("search_id", 1, 256), ("order_id", 1, 256), ("refund_id", 1, 256),
    ("attribution_token", 1, 512), ("collection_handle", 1, 255), ("query", 0, 1024),
    ("marketing_source", 0, 256), ("marketing_medium", 0, 256), ("marketing_campaign", 0, 256),
]  # fmt: skip


@pytest.mark.parametrize(("name", "least", "most"), LIMITS)
def test_a_string_keeps_its_length_and_is_a_string(name: str, least: int, most: int) -> None:
    for length in (least, most):
        assert getattr(one({**BASE, name: "é" * length}), name) == "é" * length
    wrong: list[Any] = ["x" * (most + 1), 3, ["x"], *([""] if least else [])]
    for value in wrong:
        assert refused({**BASE, name: value}) == ("invalid_value", name)


@pytest.mark.parametrize("count", [0, 251])
def test_items_are_1_to_250(count: int) -> None:
    assert refused({**ORDER, "items": [{"product_id": 1}] * count}) == ("invalid_value", "items")
    one({**ORDER, "items": [{"product_id": 1}] * 250})


def test_an_item_needs_its_product() -> None:
    assert refused({**ORDER, "items": [{"product_id": None}]})[0] == "missing_field"


def test_an_event_is_at_most_32_kib() -> None:
    empty = len(json.dumps({**BASE, "other": ""}))
    one({**BASE, "other": "x" * (32 * 1024 - empty)})
    assert refused({**BASE, "other": "x" * (32 * 1024 - empty + 1)})[0] == "too_large"


def nested(levels: int) -> Any:
    return json.loads('{"a":' * levels + "1" + "}" * levels)


def test_contextual_data_has_at_most_8_levels_and_8_kib() -> None:
    one({**BASE, "contextual_data": nested(8)})
    deep = {"a": [[[[[[[[]]]]]]]]}
    for value in (deep, nested(9), {"a": "x" * 8192}, [], "x"):
        assert refused({**BASE, "contextual_data": value})[1] == "contextual_data"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-07-01T12:00:00Z", NOW),
        ("2026-07-01T12:00:00", NOW),
        ("2026-07-01T12:00:00+05:30", NOW - timedelta(hours=5, minutes=30)),
        ("2026-07-01T12:00:00.123Z", NOW + timedelta(milliseconds=123)),
        ("2026-07-01T12:00:00.123999Z", NOW + timedelta(milliseconds=123)),
        (NOW_MS, NOW),
    ],
)
def test_a_timestamp_is_iso_8601_or_epoch_milliseconds(value: Any, moment: datetime) -> None:
    assert one({**BASE, "timestamp": value}).timestamp == round(moment.timestamp() * 1000)


BAD_TIMES = [
    "20260701",
    "20260701112",
    "2026-W27-3",
    str(NOW_MS),
    float(NOW_MS),
    True,
    "",
    "now",
    "2026-07-01T25:00:00Z",
    [],
    10**15,
]


@pytest.mark.parametrize("value", [*BAD_TIMES, -(10**15), "0001-01-01T00:00:00+01:00"])
def test_nothing_else_is_a_timestamp(value: Any) -> None:
    assert refused({**BASE, "timestamp": value}) == ("invalid_value", "timestamp")


def test_thirty_days_are_taken_and_a_millisecond_more_needs_the_right_to_backfill() -> None:
    limit = NOW_MS - 30 * 24 * 3600 * 1000
    one({**BASE, "timestamp": limit})
    assert refused({**BASE, "timestamp": limit - 1}) == ("too_old", "timestamp")
    for old in (limit - 1, -1, "0001-01-01T00:00:00Z"):
        one({**BASE, "timestamp": old}, may_backfill=True)


def test_a_timestamp_a_year_ahead_is_the_workers_to_judge() -> None:
    assert one({**BASE, "timestamp": "2027-07-01T12:00:00Z"}).timestamp > NOW_MS


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
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    # Written out, so that another version of a library cannot quietly make every event new.
    assert digest == "30dc66ed486ca3b30a5c446bdbadde06d6bf07ffaf1ce836785d4d5bb6f76c84"
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
    assert bytes(raw).count(b'"shopping_channel":') == 1


def test_raw_is_the_clients_own_text() -> None:
    fields = '"event_type":"search", "session_id":"s"'
    text = f'{{ "query" : "\\u0041" , {fields}, "timestamp":{NOW_MS} }}'
    (event,) = written(take(b'{"events":[%b]}' % text.encode()))
    assert event.raw == text


def test_of_two_equal_names_the_last_counts_everywhere() -> None:
    text = json.dumps(BASE)[:-1] + ', "query": "last"}'
    (event,) = written(take(b'{"events":[%b]}' % text.encode()))
    assert event.query == "last"


HOSTILE = [
    b"[" * 300 + b"]" * 300,
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
DEEP = b'{"events":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}"


@pytest.mark.parametrize("body", [*BODIES, b'{"events":[NaN]}', DEEP])
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
    first, second = written(take(b'{"events":[%b,%b]}' % (body, text)))
    assert (first.query, second.query) == ("\\ud83d \U0001f600 \ufffd", "@")
    assert json.loads(first.raw)["query"] == first.query


@pytest.mark.parametrize("value", ["", "x" * 300])
def test_a_customer_id_is_any_string(value: str) -> None:
    assert one({**BASE, "customer_id": value}).customer_id == value
