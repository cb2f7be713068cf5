"""The quick reader of the wire and the reading of the domain: they read alike.

The models of the catalog read as the domain does.
"""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest.fuzz_changes import change
from ingest.test_bad_input import CASES, event_of
from ingest.wire_cases import LENGTHS, NOW_MS, REQUIRED, full, minimal
from pydantic import ValidationError

from pipeline.domain.catalog import MODELS, SHAPE, GivenEvent, GivenLine, Purchase
from pipeline.domain.refusal import Reason
from pipeline.ingest.accept import mended
from pipeline.ingest.validate import reading_of
from pipeline.ingest.wire import plain_event

MANY = 300


def read_by_both(text: str) -> bool:
    """Hold the readers against each other; whether the quick one takes the event."""
    event = plain_event(text)
    reading = reading_of(text)
    if event is not None:
        assert (reading.refusals, reading.repairs, reading.extra) == ([], [], {}), text
        # The same canonical JSON, so the same fingerprint.
        assert msgspec.to_builtins(event) == reading.values, text
    same_in_the_model(text)
    return event is not None


def same_in_the_model(text: str) -> None:
    try:
        values = json.loads(text)
    except ValueError:
        return
    reading = reading_of(text)
    kind = values.get("event_type") if isinstance(values, dict) else None
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return
    if reading.refusals:
        with pytest.raises(ValidationError):
            model.model_validate(values)
        return
    assert model.model_validate(values).model_dump(exclude_none=True) == reading.values, text


@pytest.mark.parametrize("event", [*map(minimal, REQUIRED), full()], ids=str)
def test_the_quick_way_takes_what_the_contract_asks_for(event: dict[str, Any]) -> None:
    assert read_by_both(json.dumps(event))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_read_input_that_is_only_nearly_right(case: dict[str, Any]) -> None:
    text = mended(event_of(case).encode()).decode()
    read_by_both(text)
    is_valid = not reading_of(text).refusals
    assert is_valid is ("stored" in case or case.get("refused") == "too_old")


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_are_the_same(name: str) -> None:
    least, most = LENGTHS[name]
    for length in (least, most):
        text = json.dumps(minimal("search", **{name: "é" * length}))
        assert read_by_both(text) is (length > 0 or name == "query")
    assert not read_by_both(json.dumps(minimal("search", **{name: "é" * (most + 1)})))


@pytest.mark.parametrize(("quantity", "is_taken"), [(9_999, True), (10_000, False)])
def test_both_keep_a_revenue_below_the_same(quantity: int, *, is_taken: bool) -> None:
    line = {"product_id": 1, "price": 10**10, "quantity": quantity}
    for own in (line, {"items": [{"product_id": 2}, line]}):
        text = json.dumps(minimal("add_to_cart", currency="USD", **own))
        assert read_by_both(text) is is_taken
        assert (reading_of(text).refusals == []) is is_taken


@pytest.mark.parametrize("name", sorted({*GivenEvent.model_fields, *GivenLine.model_fields}))
def test_for_both_a_null_is_absent(name: str) -> None:
    for kind in REQUIRED:
        read_by_both(json.dumps({**minimal(kind), name: None}))
        read_by_both(json.dumps(minimal(kind, items=[{"product_id": 1, name: None}])))


@pytest.mark.parametrize("name", [name for name, one in SHAPE.readers.items() if one.is_id])
@pytest.mark.parametrize("value", ["null", "Undefined", " none", "(null)", "[object Object]"])
def test_the_quick_way_leaves_an_id_that_says_nothing(name: str, value: str) -> None:
    event = minimal("search", **{"session_id": "s", "device_id": "d", name: value})
    assert not read_by_both(json.dumps(event))


def test_the_quick_way_leaves_a_lines_token_that_says_nothing() -> None:
    items = [{"product_id": 1}, {"product_id": 1, "attribution_token": "null"}]
    assert not read_by_both(json.dumps(minimal("purchase", items=items)))


def test_a_model_says_all_reasons_against_an_event() -> None:
    with pytest.raises(ValidationError, match=r"items.0.product_id: .*items.0.price: "):
        Purchase(timestamp=NOW_MS, session_id="s", items=[{"product_id": "x", "price": -1}])  # type: ignore[list-item]


def test_a_line_is_read_as_in_an_event() -> None:
    line = GivenLine(product_id="7.0", price="1e2")
    assert (line.product_id, line.price) == (7, "100")
    order = Purchase(timestamp=NOW_MS, session_id="s", currency="eur", items=[line])
    assert (order.items, order.currency) == ([line], "EUR")
    with pytest.raises(ValidationError, match="product_id"):
        GivenLine(product_id=0)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([2**63 - 1, 2**63, 2**64, 10**400, -(2**63), NOW_MS]),
    st.sampled_from([-62135596800000, -62135596800001, 253402300799999, 253402300800000]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 1e300, 1.00005, 0.1 + 0.2, 10**10, 10**10 + 1, -0.0]),
    st.sampled_from(["7", "7.0", "-1", "007", "1e2", "5.00", "12345678901", "\u0661", "x" * 257]),
    st.sampled_from(["2026-07-01", "2026-07-01t12:00:00z", "0001-01-01T00:00:00+05:30", "USD\n"]),
    st.sampled_from(["USD", "usd", "web", "app", "", " ", "null", "0", "Undefined", *REQUIRED]),
    st.sampled_from([1.0, 7.0, 2.0**53, "7", " 7 ", 1795168800, 1795168800000.5, "1795168800000"]),
    st.text(max_size=4),
    st.lists(st.one_of(st.none(), st.integers(0, 2), st.text(max_size=1)), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.fixed_dictionaries(
        {"a": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=2)}
    ),
)
LINES = st.dictionaries(
    st.sampled_from([*GivenLine.model_fields, "other"]), VALUES, max_size=4
).map(lambda line: {"product_id": 1, **line})
EVENTS = st.builds(
    lambda kind, fields, items: {**minimal(kind), **fields, **items},
    st.sampled_from(list(REQUIRED)),
    st.dictionaries(st.sampled_from([*GivenEvent.model_fields, "other"]), VALUES, max_size=4),
    st.one_of(st.just({}), st.fixed_dictionaries({"items": st.lists(LINES, max_size=3)})),
)


@settings(max_examples=MANY, deadline=None)
@given(EVENTS, st.sets(st.sampled_from(["timestamp", "session_id", "product_id"]), max_size=1))
def test_both_read_random_events(event: dict[str, Any], without: set[str]) -> None:
    read_by_both(json.dumps({name: event[name] for name in event if name not in without}))


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "1e400", "-0", "1E+2", "01", "NaN"])
@pytest.mark.parametrize("name", ["product_id", "position", "price", "timestamp", "query", "other"])
def test_numbers_that_python_does_not_write_are_read_by_both(name: str, number: str) -> None:
    rest = {field: value for field, value in minimal("product_click").items() if field != name}
    text = f'{json.dumps(rest)[:-1]}, "currency": "USD", "{name}": {number}}}'
    event = plain_event(text)
    reading = reading_of(text)
    assert event is None or msgspec.to_builtins(event) == reading.values


def test_both_read_what_a_fuzzer_makes() -> None:
    chance = random.Random(1)  # noqa: S311  # not a secret
    taken = 0
    for _ in range(3000):
        events: list[Any] = [minimal(chance.choice(list(REQUIRED))), full()]
        for _ in range(chance.randrange(1, 4)):
            change(events, chance.randrange(len(events)), chance)
        for event in events:
            taken += read_by_both(json.dumps(event))
    assert taken > 1000


def test_every_problem_is_found_at_once() -> None:
    event = {"event_type": "refund", "session_id": "", "items": [{"price": -1}], "timestamp": None}
    assert {refusal.field for refusal in reading_of(json.dumps(event)).refusals} == {
        "session_id or device_id",
        "timestamp",
        "order_id",
        "items.0.product_id",
        "items.0.price",
    }


def test_what_is_no_object_is_one_problem() -> None:
    for text in ("", "3", "[]", "{", "null"):
        assert [one.reason for one in reading_of(text).refusals] == [Reason.NOT_AN_EVENT]
