"""Events that are nested too deep cost themselves, wherever JSON is read."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.events import Request
from pipeline.domain.process import read
from pipeline.domain.refusal import Refusal
from pipeline.ingest.accept import Accepted, BadBodyError, accept
from pipeline.ingest.deep import MOST_KEPT, MOST_LEVELS, without_deep
from pipeline.ingest.problems import problems_of
from pipeline.ingest.sender import Sender
from pipeline.ingest.validate import validate
from pipeline.replay.files import BadLine, FileRequest, read_requests
from pipeline.stream.checkpoint import StateError, read_checkpoint

NOW_MS = 1_782_907_200_000
GOOD = {"event_type": "search", "timestamp": NOW_MS, "session_id": "s", "query": "q"}
GOOD_TEXT = json.dumps(GOOD)


def nested(levels: int) -> str:
    """An event of so many levels, with all that could be taken for a bracket in it."""
    inner = '"]}\\\\\\"[{"'
    return (
        GOOD_TEXT[:-1] + ',"x":' + '[0,{"]":' * (levels // 2) + inner + "}]" * (levels // 2) + "}"
    )


DEEP = nested(2000)


def take(body: str, *, may_backfill: bool = False) -> Accepted:
    return accept(
        body.encode(),
        sender=Sender("shop", may_backfill),
        request=Request(),
        is_app=False,
        received_at=NOW_MS,
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_event_that_is_too_deep_costs_itself(place: int) -> None:
    events = [GOOD_TEXT, GOOD_TEXT.replace('"q"', '"]}"')]
    events.insert(place, DEEP)
    accepted = take('{{"events": [{}]}}'.format(" , ".join(events)))
    assert len(accepted.types) == 2
    (rejected,) = accepted.rejected
    assert (rejected.index, rejected.reason) == (place, "too_deep")
    assert rejected.raw == DEEP[:MOST_KEPT]
    assert problems_of(rejected) == [rejected.detail]


def test_several_may_be_too_deep_and_of_any_kind() -> None:
    arrays = "[" * 100_000 + "]" * 100_000
    accepted = take(f'{{"events":[{arrays},{DEEP},{GOOD_TEXT},1]}}')
    assert len(accepted.types) == 1
    found = [(one.index, one.reason) for one in accepted.rejected]
    assert found == [(0, "too_deep"), (1, "too_deep"), (3, "not_an_event")]
    assert accepted.rejected[0].raw == arrays[:MOST_KEPT]


def test_what_is_too_deep_beside_the_events_is_no_matter() -> None:
    accepted = take(f'{{"x":{{"y":{DEEP}}},"events":[{GOOD_TEXT}],"z":[{DEEP}]}}')
    assert len(accepted.types) == 1
    assert accepted.rejected == []


def test_up_to_so_many_levels_an_event_is_read_also_beside_one_that_is_not() -> None:
    accepted = take(f'{{"events":[{nested(MOST_LEVELS - 1)},{DEEP}]}}')
    assert len(accepted.types) == 1
    assert [one.index for one in accepted.rejected] == [1]


@pytest.mark.parametrize(
    "body",
    [
        DEEP[:-1],
        f'{{"events":[{DEEP}',
        f'{{"events":[{DEEP}]]}}',
        f'{{"events":[{DEEP}}}',
        f'{{"events":{DEEP}}}',
        f'{{"events":[{DEEP},"]}}',
        f'{{"events":[{DEEP},{{"a":1,}}]}}',
        "[" * 10_000,
        "[" * 10_000 + "]" * 20_000,
        '{"a":' * 100_000,
        '{"events":[%s]}' % ("[" * 5000 + "[[]]," * 20_000 + "0" + "]" * 5000),
    ],
    ids=range(11),
)
def test_what_is_no_batch_stays_none(body: str) -> None:
    with pytest.raises(BadBodyError):
        take(body)


def test_a_given_time_that_is_too_deep_is_refused() -> None:
    for levels in (900, 970, 980, 985, 990, 5000):
        deep = "[" * levels + "]" * levels
        with pytest.raises(BadBodyError):
            take(f'{{"received_at":{deep},"events":[{GOOD_TEXT}]}}', may_backfill=True)


def test_alone_it_is_refused_for_the_same_reason() -> None:
    with pytest.raises(Refusal) as refused:
        validate(DEEP, received_at=0, may_backfill=True)
    assert refused.value.reason == "too_deep"


def test_at_no_depth_is_there_another_error() -> None:
    """Where it can just be read, the next one who reads it may stand deeper himself."""
    for levels in range(850, 1010):
        accepted = take(f'{{"events":[{nested(levels)},{GOOD_TEXT}]}}')
        assert len(accepted.types) + len(accepted.rejected) == 2
        assert {one.reason for one in accepted.rejected} <= {"too_deep"}
        for rejected in accepted.rejected:
            problems_of(rejected)
        for _, value in accepted.records:
            assert read(value, appended_at=NOW_MS).failed == []


@given(st.lists(st.sampled_from(['"', "\\", "[", "]", "{", "}", "a", ",", "[" * 600, "]" * 600])))
def test_what_is_cut_out_and_put_back_is_what_came(parts: list[str]) -> None:
    body = "".join(parts).encode()
    text, deep = without_deep(body)
    for name, raw in deep.items():
        text = text.replace(name, raw, 1)
    assert text == body


def test_looking_where_it_is_too_deep_costs_little() -> None:
    """Beside reading as many brackets that are not."""
    flat = b'{"events":[%b]}' % b",".join([b"[]"] * 300_000)
    began = time.process_time()
    with pytest.raises(BadBodyError):
        take(flat.decode())
    beside = time.process_time() - began
    hostile = b'{"events":[%b%b' % (b"[" * 2000, b"[[]]," * 200_000)
    began = time.process_time()
    with pytest.raises(BadBodyError):
        take(hostile.decode())
    assert time.process_time() - began < 10 * beside


def requests(*lines: str) -> list[Any]:
    return list(read_requests(line.encode() for line in lines))


def test_in_a_file_it_costs_itself() -> None:
    recorded = f'{{"events":[{GOOD_TEXT},{DEEP},{GOOD_TEXT}],"store":"s"}}'
    bad, request, *rest = requests(recorded)
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.reason.partition(":")[0]) == (1, "events.1")
    assert isinstance(request, FileRequest)
    assert msgspec.json.decode(request.body) == {"events": [GOOD, GOOD]}
    assert request.store == "s"
    assert rest == []


def test_in_a_file_a_line_that_is_too_deep_is_told_and_left_out() -> None:
    for levels in (*range(880, 1000, 2), 5000):
        *bad, request = requests(nested(levels), GOOD_TEXT)
        assert set(bad) <= {BadLine(1, "nested over 500 levels")}
        assert request.body.count(b'"event_type"') == 2 - len(bad)
        # As whoever sends it reads it again.
        called_deeper(60, request.body)
    assert len(bad) == 1


def called_deeper(calls: int, body: bytes) -> None:
    if calls:
        called_deeper(calls - 1, body)
    else:
        msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])


def test_a_record_that_somebody_else_wrote_is_a_failure_of_the_record() -> None:
    request = '"store_id":"s","device_key":"d:1","received_at":1,"request":{}'
    beside = read(b'{%b,"events":[%b]}' % (request.encode(), DEEP.encode()), appended_at=NOW_MS)
    assert len(beside.failed) == 1


def test_a_commit_that_somebody_else_wrote_is_refused() -> None:
    with pytest.raises(StateError):
        read_checkpoint(0, '{"x":' + "[" * 4000 + "]" * 4000 + "}", partition=0)
