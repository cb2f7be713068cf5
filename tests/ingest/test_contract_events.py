"""The contract's tables of events, row by row, over a real socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from ingest.wire_cases import COMMON, LENGTHS, NOW_MS, REQUIRED, VALUES, full, minimal

from pipeline.domain.events import Line

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
@pytest.mark.parametrize("value", [ABSENT, None, ""])
def test_three_fields_are_required_in_every_event(wire: Any, name: str, value: Any) -> None:
    event = {key: held for key, held in BASE.items() if key != name}
    missing = "session_id or device_id" if name == "session_id" else name
    assert wire.refused(event if value is ABSENT else {**event, name: value}) == (
        "missing_field",
        missing,
    )


@pytest.mark.parametrize("value", ["view", "Search", 3, ["search"]])
def test_an_event_type_is_one_of_the_twelve(wire: Any, value: Any) -> None:
    assert wire.refused({**BASE, "event_type": value})[0] == "unknown_event_type"


@pytest.mark.parametrize("value", [7003338965178, "7003338965178", 1, 2**63 - 1, str(2**63 - 1)])
@pytest.mark.parametrize("name", ["product_id", "variant_id"])
def test_an_id_is_an_integer_or_the_same_in_digits(wire: Any, name: str, value: Any) -> None:
    assert getattr(wire.one({**CLICK, name: value}), name) == int(value)


BAD_IDS = [0, -1, 1e20, 1.5, True, 2**63, 2.0**53, "+3", "0", "\u0661", [1], 10**400, "x"]


@pytest.mark.parametrize("value", BAD_IDS)
def test_nothing_else_is_an_id(wire: Any, value: Any) -> None:
    assert wire.refused({**CLICK, "product_id": value}) == ("invalid_value", "product_id")
    assert dropped(wire, {**CLICK, "variant_id": value}) == {"variant_id"}


def dropped(wire: Any, event: dict[str, Any]) -> set[str]:
    """The fields that an event has lost; what they held is in `extra`."""
    found = wire.one(event)
    extra = json.loads(bytes(found.extra) or b"{}")
    names = {note.split(":")[0] for note in found.repairs if "respelled" not in note}
    assert {name: event[name] for name in names} == extra
    assert all(getattr(found, name, None) is None for name in names - {"contextual_data"})
    return names


@pytest.mark.parametrize("value", [1.0, "1", "1.0", " 1 "])
def test_whole_numbers_come_in_other_spellings(wire: Any, value: Any) -> None:
    event = wire.one({**CLICK, "product_id": value, "position": value, "quantity": value})
    assert (event.product_id, event.position, event.quantity) == (1, 1, 1)
    assert "position: respelled" in event.repairs


@pytest.mark.parametrize("value", [0, -1, True, 2**63, "x", 1.5])
def test_a_position_is_an_integer_from_1(wire: Any, value: Any) -> None:
    assert wire.refused({**CLICK, "position": value}) == ("invalid_value", "position")
    assert dropped(wire, {**BASE, "position": value}) == {"position"}


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        (5, "5"), (5.0, "5"), ("5.00", "5"), ("0", "0"), (0.0001, "0.0001"), ("0012.50", "12.5"),
        (19.99, "19.99"), (10**10, "10000000000"), (9999999999.9999, "9999999999.9999"),
        (836.9999999999998, "837"), (0.30000000000000004, "0.3"),
        (1.00005, "1"), (1.00015, "1.0002"),
        (100000.00001, "100000"), (0.00001, "0"), (-0.0, "0"), (1e2, "100"), (12e-1, "1.2"),
        ("1e2", "100"), (" 1 ", "1"), (".5", "0.5"), ("+5", "5"), ("1.23456", "1.2346"),
    ],
)  # fmt: skip
def test_a_price_is_a_decimal_and_has_one_spelling(wire: Any, value: Any, canonical: str) -> None:
    assert wire.one({**ORDER, "product_id": 1, "price": value}).price == canonical


BAD_PRICES = [-1, "-1", -0.00001, 10**10 + 1, "10000000000.0001", "1e11", "1,299.00", "€5", True]


@pytest.mark.parametrize("value", [*BAD_PRICES, "NaN", 1e300, [1], "1e9999", "x", 10**400])
def test_nothing_else_is_a_price(wire: Any, value: Any) -> None:
    assert wire.refused({**ORDER, "product_id": 1, "price": value}) == ("invalid_value", "price")
    assert wire.refused({**BASE, "currency": "USD", "price": value}) == ("invalid_value", "price")
    line = {"product_id": 1, "price": value}
    assert wire.refused({**ORDER, "items": [line]}) == ("invalid_value", "items.0.price")


@pytest.mark.parametrize("value", [0, -1, 10**6 + 1, 1.5, "x", True])
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


@pytest.mark.parametrize("value", ["US", "USDX", "ÜSD", 3, "€"])
def test_a_currency_is_three_letters(wire: Any, value: Any) -> None:
    event = {**ORDER, "product_id": 1, "currency": value}
    assert wire.refused({**event, "price": 1}) == ("invalid_value", "currency")
    assert dropped(wire, event) == {"currency"}


@pytest.mark.parametrize("value", ["usd", " USD "])
def test_a_currency_is_read_in_any_case(wire: Any, value: str) -> None:
    event = wire.one({**ORDER, "product_id": 1, "price": 1, "currency": value})
    assert (event.currency, event.repairs) == ("USD", ("currency: respelled",))


@pytest.mark.parametrize("name", LENGTHS)
def test_a_text_keeps_its_length_and_one_that_is_longer_is_dropped(wire: Any, name: str) -> None:
    _, most = LENGTHS[name]
    for length in (1, most):
        event = wire.one({**BASE, name: "é" * length})
        assert getattr(event, name, "é" * length) == "é" * length
    for wrong in ("x" * (most + 1), ["x"], True):
        event = {**BASE, "event_type": "purchase", "product_id": 1, "device_id": "d", name: wrong}
        if name == "session_id":
            assert wire.one(event).session_id == "d:d"
        else:
            assert dropped(wire, event) == {name}


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize(
    ("value", "text"), [(1001, "1001"), (1001.0, "1001"), (12.5, "12.5"), (1e15, f"1{'0' * 15}")]
)
def test_a_text_given_as_a_number_is_its_digits(
    wire: Any, name: str, value: float, text: str
) -> None:
    event = wire.one({**BASE, name: value})
    assert getattr(event, name, text) == text
    assert event.repairs == (f"{name}: respelled",)


@pytest.mark.parametrize("name", sorted({*LENGTHS, "customer_id"} - {"query", "session_id"}))
def test_an_empty_text_is_absent(wire: Any, name: str) -> None:
    event = wire.one({**BASE, name: ""})
    assert getattr(event, name, None) is None
    assert (event.repairs, event.fingerprint) == ((), wire.one(BASE).fingerprint)


def test_items_are_1_to_250(wire: Any) -> None:
    many = [{"product_id": 1}] * 251
    assert wire.refused({**ORDER, "items": many}) == ("invalid_value", "items")
    assert dropped(wire, {**CLICK, "items": many}) == {"items"}
    wire.one({**ORDER, "items": many[1:]})


@pytest.mark.parametrize(
    "value", [{"0": {"product_id": 1}}, "x", 3, [3], [{"product_id": "gid/1"}]]
)
def test_items_that_cannot_be_read_refuse_an_order_and_nothing_else(wire: Any, value: Any) -> None:
    reason, field = wire.refused({**ORDER, "product_id": 1, "items": value})
    assert (reason, field.split(".")[0]) == ("invalid_value", "items")
    assert dropped(wire, {**CLICK, "items": value}) == {"items"}


def test_an_empty_list_of_items_is_absent(wire: Any) -> None:
    assert wire.one({**ORDER, "items": [], "product_id": 7}).lines() == [Line(7)]
    assert wire.refused({**ORDER, "items": []}) == ("missing_field", "items or product_id")


def test_what_a_line_loses_is_kept_in_its_place(wire: Any) -> None:
    lines = [
        {"product_id": 1, "variant_id": 2},
        {"product_id": 2, "variant_id": "x", "attribution_token": ["t"], "sku": "S1"},
        {"product_id": 3, "attribution_token": "null", "price": 0.30000000000000004},
    ]
    event = wire.one({**ORDER, "items": lines})
    assert event.items == [Line(1, 2), Line(2), Line(3, price="0.3")]
    assert json.loads(bytes(event.extra)) == {
        "items": [{}, {"variant_id": "x", "attribution_token": ["t"], "sku": "S1"}, {}]
    }
    assert event.repairs == (
        "items.attribution_token: sentinel",
        "items.attribution_token: unreadable",
        "items.price: rounded",
        "items.variant_id: unreadable",
    )


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
        assert dropped(wire, {**BASE, "contextual_data": value}) == {"contextual_data"}


def test_thirty_days_are_taken_and_a_millisecond_more_needs_the_right_to_backfill(
    wire: Any,
) -> None:
    limit = NOW_MS - 30 * 24 * 3600 * 1000
    wire.one({**BASE, "timestamp": limit})
    assert wire.refused({**BASE, "timestamp": limit - 1}) == ("too_old", "timestamp")
    for old in (limit - 1, 1, "0001-01-01T00:00:00Z"):
        wire.one({**BASE, "timestamp": old}, may_backfill=True)


def test_a_timestamp_a_year_ahead_is_the_workers_to_judge(wire: Any) -> None:
    assert wire.one({**BASE, "timestamp": "2027-07-01T12:00:00Z"}).timestamp > NOW_MS


def test_contextual_data_of_exactly_8_kib_is_taken(wire: Any) -> None:
    room = 8 * 1024 - len('{"a":""}')
    wire.one({**BASE, "contextual_data": {"a": "x" * room}})
    over = {**BASE, "contextual_data": {"a": "x" * (room + 1)}}
    assert dropped(wire, over) == {"contextual_data"}


def test_a_customer_id_is_any_text_or_number(wire: Any) -> None:
    assert wire.one({**BASE, "customer_id": "x" * 300}).customer_id == "x" * 300
    assert wire.one({**BASE, "customer_id": 6543210987}).customer_id == "6543210987"


@pytest.mark.parametrize("value", ["mobile", 1, True])
def test_a_channel_is_web_or_app(wire: Any, value: Any) -> None:
    event = wire.one({**BASE, "shopping_channel": value})
    assert (event.shopping_channel, event.repairs) == ("web", ("shopping_channel: unreadable",))
    assert wire.one({**BASE, "shopping_channel": "App"}).shopping_channel == "app"


@pytest.mark.parametrize("name", ["product_id", "position", "items", "price", "contextual_data"])
def test_null_counts_as_absent_where_a_field_is_optional(wire: Any, name: str) -> None:
    assert wire.one({**BASE, name: None}).fingerprint == wire.one(BASE).fingerprint


def test_what_is_not_known_is_kept_as_it_came(wire: Any) -> None:
    text = json.dumps(BASE)[:-1] + ', "theme": {"dark" : 1.50, "deep": [9e999]}}'
    event = wire.one(text.encode())
    assert bytes(event.extra) == b'{"theme":{"dark" : 1.50, "deep": [9e999]}}'
    assert (event.fingerprint, event.repairs) == (wire.one(BASE).fingerprint, ())
    text = json.dumps(BASE)[:-1] + ', "variant_id": 1.50}'
    assert bytes(wire.one(text.encode()).extra) == b'{"variant_id":1.50}'


def test_an_emptied_search_box_is_a_query_also_beside_what_needs_reading(wire: Any) -> None:
    for more in ({}, {"theme": 1}):
        event = wire.one({**BASE, "query": "", **more})
        assert (event.query, event.search_term) == ("", None)


SENTINELS = [
    "undefined", "null", "(null)", "None", "NaN", "UNKNOWN", "[object Object]", " undefined ", "  ",
    "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
IDS = ["session_id", "device_id", "event_id", "order_id", "refund_id", "customer_id"]


@pytest.mark.parametrize("value", SENTINELS)
def test_an_id_that_says_nothing_is_absent(wire: Any, value: str) -> None:
    given = {**CLICK, "device_id": "d", "attribution_token": value, **dict.fromkeys(IDS[2:], value)}
    event = wire.one(given)
    assert all(getattr(event, name) is None for name in (*IDS[2:], "attribution_token"))
    assert event.repairs == tuple(
        f"{name}: sentinel" for name in sorted([*IDS[2:], "attribution_token"])
    )
    assert event.extra == msgspec.Raw()
    assert event.fingerprint == wire.one({**CLICK, "device_id": "d"}).fingerprint


@pytest.mark.parametrize("value", SENTINELS)
def test_the_device_stands_for_a_session_that_says_nothing(wire: Any, value: str) -> None:
    event = wire.one({**BASE, "session_id": value, "device_id": "d"})
    assert (event.session_id, event.device_id) == ("d:d", "d")
    assert wire.one({**BASE, "device_id": value}).device_id is None
    alone = {**BASE, "session_id": value}
    assert wire.refused(alone) == ("sentinel_id", "session_id")
    assert wire.refused({**alone, "device_id": value})[0] == "sentinel_id"
    assert wire.refused({**alone, "device_id": "x" * 257})[0] == "sentinel_id"


def test_zero_says_nothing_of_an_order_and_is_a_device(wire: Any) -> None:
    event = wire.one({**BASE, "device_id": "0", **dict.fromkeys(IDS[3:], 0)})
    assert [getattr(event, name) for name in IDS[1:]] == ["0", None, None, None, None]
    refund = {**BASE, "event_type": "refund", "product_id": 1, "order_id": "0"}
    assert wire.refused(refund) == ("sentinel_id", "order_id")


def test_a_required_text_that_cannot_be_read_refuses_the_event(wire: Any) -> None:
    assert wire.refused({**BASE, "query": "x" * 1025}) == ("invalid_value", "query")
    view = {**BASE, "event_type": "block_view", "attribution_token": "x" * 513}
    assert wire.refused(view) == ("invalid_value", "attribution_token")
    assert dropped(wire, {**view, "block_id": "b"}) == {"attribution_token"}


@pytest.mark.parametrize(
    ("query", "term"),
    [
        ("Red  Shoes", "red shoes"),
        (" red\u00a0shoes\n", "red shoes"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u212a", "k"),
        ("\ufb01", "fi"),
        ("", None),
        ("  ", None),
    ],
)
def test_q1_a_query_has_one_term_for_all_its_spellings(
    wire: Any, query: str, term: str | None
) -> None:
    event = wire.one({**BASE, "query": query})
    assert (event.query, event.search_term) == (query, term)


def test_a_time_keeps_its_text_where_that_says_more(wire: Any) -> None:
    for text in ("2026-07-01T14:00:00+02:00", "2026-07-01T12:00:00.0001Z", 1782907200000.5):
        event = wire.one({**BASE, "timestamp": text})
        assert (event.timestamp, json.loads(bytes(event.extra))) == (NOW_MS, {"timestamp": text})
    for text in ("2026-07-01 12:00:00 UTC", NOW_MS // 1000, str(NOW_MS), NOW_MS * 1000):
        assert wire.one({**BASE, "timestamp": text}).extra == msgspec.Raw()


def test_a_byte_order_mark_before_the_body_is_skipped(wire: Any) -> None:
    body = json.dumps({"events": [BASE]}).encode("utf-8-sig")
    assert wire.take(body).rejected == []


def test_a_quantity_is_1_unless_said_and_a_million_at_most(wire: Any) -> None:
    lines = wire.one({**ORDER, "items": [{"product_id": 1}, {"product_id": 2, "quantity": 10**6}]})
    assert [line.quantity for line in lines.items] == [1, 10**6]
