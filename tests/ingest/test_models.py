"""The reader of the wire and the models of the catalog: two readers of one declaration.

They take the same events and make the same of them; where both refuse, the reader's field and
reason are among the models'.
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

from pipeline.domain.catalog import MODELS, GivenEvent, GivenLine
from pipeline.ingest.accept import mended
from pipeline.ingest.problems import problems_in
from pipeline.ingest.validate import Refusal, validate
from pipeline.ingest.wire import WireEvent

MANY = 300


def read_by_both(text: str) -> bool:
    """Hold the two against each other; whether they take the event."""
    found = problems_in(text)
    try:
        event = validate(text, received_at=NOW_MS, may_backfill=True)
    except Refusal as error:
        refused = error
    else:
        assert found == [], text
        return are_equal(text, event)
    told = {(problem.reason, problem.field) for problem in found}
    assert (refused.reason, refused.field) in told, (text, refused, found)
    return False


def are_equal(text: str, event: WireEvent) -> bool:
    values = msgspec.json.decode(text)
    model = MODELS[event.event_type].model_validate(values)
    assert model.model_dump(exclude_none=True) == msgspec.to_builtins(event), text
    return True


def is_plain(text: str) -> bool:
    """Whether no name stands twice: of two the reader looks at both (decision 0016)."""
    try:
        json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found


@pytest.mark.parametrize("event", [*map(minimal, REQUIRED), full()], ids=str)
def test_both_take_what_the_contract_allows(event: dict[str, Any]) -> None:
    assert read_by_both(json.dumps(event))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_say_the_same_of_input_that_is_only_nearly_right(case: dict[str, Any]) -> None:
    text = mended(event_of(case).encode()).decode()
    if is_plain(text):
        taken = read_by_both(text)
        assert taken is ("stored" in case or case.get("refused") == "too_old")


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_are_the_same(name: str) -> None:
    least, most = LENGTHS[name]
    for length in {0, least, most}:
        assert read_by_both(json.dumps(minimal("search", **{name: "é" * length}))) is (
            length >= least
        )
    assert not read_by_both(json.dumps(minimal("search", **{name: "é" * (most + 1)})))


@pytest.mark.parametrize(("quantity", "is_taken"), [(9_999, True), (10_000, False)])
def test_both_keep_a_revenue_below_the_same(quantity: int, *, is_taken: bool) -> None:
    line = {"product_id": 1, "price": 10**10, "quantity": quantity}
    for own in (line, {"items": [{"product_id": 2}, line]}):
        event = minimal("add_to_cart", currency="USD", **own)
        assert read_by_both(json.dumps(event)) is is_taken


@pytest.mark.parametrize("name", sorted({*GivenEvent.model_fields, *GivenLine.model_fields}))
def test_for_both_a_null_is_absent(name: str) -> None:
    for kind in REQUIRED:
        read_by_both(json.dumps({**minimal(kind), name: None}))
        read_by_both(json.dumps(minimal(kind, items=[{"product_id": 1, name: None}])))


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
    st.sampled_from(["USD", "usd", "web", "app", "", *REQUIRED]),
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
def test_both_say_the_same_of_random_events(event: dict[str, Any], without: set[str]) -> None:
    read_by_both(json.dumps({name: event[name] for name in event if name not in without}))


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "1e400", "-0", "1E+2", "01", "NaN"])
@pytest.mark.parametrize("name", ["product_id", "position", "price", "timestamp", "query"])
def test_both_say_the_same_of_numbers_that_python_does_not_write(name: str, number: str) -> None:
    rest = {field: value for field, value in minimal("product_click").items() if field != name}
    read_by_both(f'{json.dumps(rest)[:-1]}, "currency": "USD", "{name}": {number}}}')


def test_both_say_the_same_of_what_a_fuzzer_makes() -> None:
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
    assert {problem.field for problem in problems_in(json.dumps(event))} == {
        "session_id",
        "timestamp",
        "order_id",
        "items.0.product_id",
        "items.0.price",
        "currency",
    }


def test_what_is_no_object_is_one_problem() -> None:
    for text in ("", "3", "[]", "{", "null"):
        assert [problem.reason for problem in problems_in(text)] == ["not_an_event"]
