"""The contract's tables of events, row by row, over a real socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ingest.wire_cases import COMMON, LENGTHS, NOW_MS, REQUIRED, VALUES, full, minimal

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BASE = {"event_type": "search", "timestamp": NOW_MS, "session_id": "s", "query": "q"}
CLICK = {**BASE, "event_type": "product_click", "product_id": 1, "position": 1}
ORDER = {**BASE, "event_type": "purchase", "currency": "USD"}
ABSENT = object()


@pytest.mark.parametrize("event_type", REQUIRED)
def test_each_type_is_valid_with_what_it_requires_alone(wire: Any, event_type: str) -> None:
    assert wire.one(minimal(event_type)).event_type == event_type


def test_all_fields_at_their_longest_are_one_valid_event(wire: Any) -> None:
    event = wire.one(full())
    assert (event.product_id, event.items[0].variant_id) == (1, 2**63 - 1)
    assert event.position == 2**63 - 1


def test_the_published_example_is_valid_as_it_stands(wire: Any) -> None:
    common = {"timestamp": NOW.isoformat(), "session_id": "s"}
    events = [
        {**common, "event_type": "product_click", "product_id": 7003338965178, "position": 1},
        {**common, "event_type": "collection_view", "collection_handle": "shoes"},
        {**common, "event_type": "block_view", "attribution_token": "token"},
    ]
    assert wire.take({"events": events}).rejected == []


@pytest.mark.parametrize("event_type", REQUIRED)
def test_each_type_needs_its_fields_and_null_counts_as_absent(wire: Any, event_type: str) -> None:
    base = {"event_type": event_type, **COMMON}
    choices = REQUIRED[event_type]
    full = {name: VALUES[name] for choice in choices for name in choice}
    for choice in choices:
        none = full | dict.fromkeys(choice)
        assert wire.refused(base | none) == ("missing_field", " or ".join(choice))
        for name in choice:
            wire.one(base | none | {name: VALUES[name]})


@pytest.mark.parametrize("name", ["event_type", "timestamp", "session_id"])
@pytest.mark.parametrize("value", [ABSENT, None])
def test_three_fields_are_required_in_every_event(wire: Any, name: str, value: Any) -> None:
    event = {key: held for key, held in BASE.items() if key != name}
    assert wire.refused(event if value is ABSENT else {**event, name: None}) == (
        "missing_field",
        name,
    )


@pytest.mark.parametrize("value", ["view", "Search", "", 3, ["search"]])
def test_an_event_type_is_one_of_the_twelve(wire: Any, value: Any) -> None:
    assert wire.refused({**BASE, "event_type": value})[0] == "unknown_event_type"


@pytest.mark.parametrize("value", [7003338965178, "7003338965178", 1, 2**63 - 1, str(2**63 - 1)])
@pytest.mark.parametrize("name", ["product_id", "variant_id"])
def test_an_id_is_an_integer_or_the_same_in_digits(wire: Any, name: str, value: Any) -> None:
    assert getattr(wire.one({**CLICK, name: value}), name) == int(value)


BAD_IDS = [0, -1, 1e20, 1.5, 3.0, True, 2**63, "3.0", " 3", "+3", "0", "", "\u0661", [1], 10**400]


@pytest.mark.parametrize("value", BAD_IDS)
@pytest.mark.parametrize("name", ["product_id", "variant_id"])
def test_nothing_else_is_an_id(wire: Any, name: str, value: Any) -> None:
    assert wire.refused({**CLICK, name: value}) == ("invalid_value", name)


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, 2**63])
def test_a_position_is_an_integer_from_1(wire: Any, value: Any) -> None:
    assert wire.refused({**CLICK, "position": value}) == ("invalid_value", "position")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (5, "5"), (5.0, "5"), ("5.00", "5"), ("0", "0"), (0.0001, "0.0001"), ("0012.50", "12.5"),
        (19.99, "19.99"), (10**10, "10000000000"), (9999999999.9999, "9999999999.9999"),
    ],
)  # fmt: skip
def test_a_price_is_a_decimal_and_has_one_spelling(wire: Any, value: Any, canonical: str) -> None:
    assert wire.one({**ORDER, "product_id": 1, "price": value}).price == canonical


BAD_PRICES = [-1, "-1", 0.00001, "1.23456", 10**10 + 1, "10000000000.0001", "1e2", " 1", "", True]


@pytest.mark.parametrize("value", [*BAD_PRICES, "NaN", 1e300, [1]])
def test_nothing_else_is_a_price(wire: Any, value: Any) -> None:
    assert wire.refused({**ORDER, "product_id": 1, "price": value}) == ("invalid_value", "price")


@pytest.mark.parametrize("value", [0, -1, 10**6 + 1, 1.0, "1", True])
def test_a_quantity_is_an_integer_to_a_million(wire: Any, value: Any) -> None:
    event = {**ORDER, "product_id": 1, "quantity": value}
    assert wire.refused(event) == ("invalid_value", "quantity")


def test_a_price_needs_its_currency_and_a_line_must_fit_its_column(wire: Any) -> None:
    line = {"product_id": 1, "price": 10**10, "quantity": 9999}
    assert wire.one({**ORDER, "items": [line]}).lines()[0].quantity == 9999
    assert wire.refused({**ORDER, "items": [{**line, "quantity": 10**4}]})[0] == "invalid_value"
    assert wire.refused({**ORDER, "items": [line], "currency": None})[0] == "missing_field"
    assert wire.refused({**CLICK, "price": 1})[0] == "missing_field"
    wire.one({**ORDER, "items": [{"product_id": 1}], "currency": None})


@pytest.mark.parametrize("value", ["usd", "US", "USDX", "ÜSD", 3])
def test_a_currency_is_three_capital_letters(wire: Any, value: Any) -> None:
    assert wire.refused({**BASE, "currency": value}) == ("invalid_value", "currency")


@pytest.mark.parametrize("name", LENGTHS)
def test_a_string_keeps_its_length_and_is_a_string(wire: Any, name: str) -> None:
    least, most = LENGTHS[name]
    for length in (least, most):
        event = wire.one({**BASE, name: "é" * length})
        assert json.loads(event.raw)[name] == "é" * length
        assert getattr(event, name, "é" * length) == "é" * length
    wrong: list[Any] = ["x" * (most + 1), 3, ["x"], *([""] if least else [])]
    for value in wrong:
        assert wire.refused({**BASE, name: value}) == ("invalid_value", name)


@pytest.mark.parametrize("count", [0, 251])
def test_items_are_1_to_250(wire: Any, count: int) -> None:
    assert wire.refused({**ORDER, "items": [{"product_id": 1}] * count}) == (
        "invalid_value",
        "items",
    )
    wire.one({**ORDER, "items": [{"product_id": 1}] * 250})


def test_an_item_needs_its_product(wire: Any) -> None:
    assert wire.refused({**ORDER, "items": [{"product_id": None}]})[0] == "missing_field"


def test_an_event_is_at_most_32_kib(wire: Any) -> None:
    empty = len(json.dumps({**BASE, "other": ""}))
    wire.one({**BASE, "other": "x" * (32 * 1024 - empty)})
    assert wire.refused({**BASE, "other": "x" * (32 * 1024 - empty + 1)})[0] == "too_large"


def nested(levels: int) -> Any:
    return json.loads('{"a":' * levels + "1" + "}" * levels)


def test_contextual_data_has_at_most_8_levels_and_8_kib(wire: Any) -> None:
    wire.one({**BASE, "contextual_data": nested(8)})
    deep = {"a": [[[[[[[[]]]]]]]]}
    for value in (deep, nested(9), {"a": "x" * 8192}, [], "x"):
        assert wire.refused({**BASE, "contextual_data": value})[1] == "contextual_data"


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
def test_a_timestamp_is_iso_8601_or_epoch_milliseconds(
    wire: Any, value: Any, moment: datetime
) -> None:
    assert wire.one({**BASE, "timestamp": value}).timestamp == round(moment.timestamp() * 1000)


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
def test_nothing_else_is_a_timestamp(wire: Any, value: Any) -> None:
    assert wire.refused({**BASE, "timestamp": value}) == ("invalid_value", "timestamp")


def test_thirty_days_are_taken_and_a_millisecond_more_needs_the_right_to_backfill(
    wire: Any,
) -> None:
    limit = NOW_MS - 30 * 24 * 3600 * 1000
    wire.one({**BASE, "timestamp": limit})
    assert wire.refused({**BASE, "timestamp": limit - 1}) == ("too_old", "timestamp")
    for old in (limit - 1, -1, "0001-01-01T00:00:00Z"):
        wire.one({**BASE, "timestamp": old}, may_backfill=True)


def test_a_timestamp_a_year_ahead_is_the_workers_to_judge(wire: Any) -> None:
    assert wire.one({**BASE, "timestamp": "2027-07-01T12:00:00Z"}).timestamp > NOW_MS


def test_contextual_data_of_exactly_8_kib_is_taken(wire: Any) -> None:
    room = 8 * 1024 - len('{"a":""}')
    wire.one({**BASE, "contextual_data": {"a": "x" * room}})
    over = {**BASE, "contextual_data": {"a": "x" * (room + 1)}}
    assert wire.refused(over) == ("invalid_value", "contextual_data")


@pytest.mark.parametrize("value", ["", "x" * 300])
def test_a_customer_id_is_any_string(wire: Any, value: str) -> None:
    assert wire.one({**BASE, "customer_id": value}).customer_id == value
    assert wire.refused({**BASE, "customer_id": 3}) == ("invalid_value", "customer_id")


@pytest.mark.parametrize("value", ["Web", "", "mobile", 1, True])
def test_a_channel_is_web_or_app(wire: Any, value: Any) -> None:
    assert wire.refused({**BASE, "shopping_channel": value})[1] == "shopping_channel"


@pytest.mark.parametrize("name", ["product_id", "position", "items", "price", "contextual_data"])
def test_null_counts_as_absent_where_a_field_is_optional(wire: Any, name: str) -> None:
    assert wire.one({**BASE, name: None}).fingerprint == wire.one(BASE).fingerprint


def test_what_is_not_known_is_ignored_and_kept_in_the_raw_event(wire: Any) -> None:
    event = wire.one({**BASE, "theme": {"dark": True}})
    assert json.loads(event.raw)["theme"] == {"dark": True}
    assert event.fingerprint == wire.one(BASE).fingerprint


def test_a_quantity_is_1_unless_said_and_a_million_at_most(wire: Any) -> None:
    lines = wire.one({**ORDER, "items": [{"product_id": 1}, {"product_id": 2, "quantity": 10**6}]})
    assert [line.quantity for line in lines.items] == [1, 10**6]
