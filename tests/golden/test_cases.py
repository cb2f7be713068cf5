"""Every golden case, by every runner: the same numbers from all of them."""

from __future__ import annotations

from typing import Any

import pytest
from golden.case_parser import Case, Run, cases, moment, runs, words
from golden.runners import RUNNERS, Seen

CASES = cases()
RUNS = runs(CASES)
TIMES = {"start", "end", "at"}


@pytest.fixture(scope="module", params=RUNNERS)
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Seen]:
    return request.param, RUNNERS[request.param](RUNS, tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}-{case.name}")
def test_case(case: Case, runner: tuple[str, Seen]) -> None:
    name, found = runner
    if name == "recomputed devices" and not case.expected.get("recomputes", True):
        pytest.skip("a repeat under another time, or what is late: the state alone knows (D4)")
    own_runs = [run for run in RUNS if run.case is case]
    assert own_runs
    for run in own_runs:
        assert compared(run, found[run.number]) == expected(case, found[run.number]), run.arrival


def expected(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    """What the case says, of what this runner knows."""
    return {
        name: [_row(row, _tells(found[name])) for row in value]
        if isinstance(value, list)
        else value
        for name, value in case.expected.items()
        if name in found
    }


def compared(run: Run, found: dict[str, Any]) -> dict[str, Any]:
    """What was found, of what the case says something about."""
    said = {}
    for name, value in run.case.expected.items():
        if name not in found:
            continue
        if isinstance(value, list):
            rows = found[name]
            # A row too many is shown whole; an expected one shows the columns it names.
            said[name] = [
                {key: row[key] for key in value[place] if key in row} if place < len(value) else row
                for place, row in enumerate(rows)
            ]
        else:
            said[name] = found[name]
    return said


def _tells(rows: list[dict[str, Any]]) -> set[str] | None:
    return set(rows[0]) if rows else None


def _row(row: dict[str, Any], tells: set[str] | None) -> dict[str, Any]:
    return {
        name: words(moment(value))
        if name in TIMES
        else [_touch(touch) for touch in value]
        if name == "path"
        else value
        for name, value in row.items()
        if tells is None or name in tells
    }


def _touch(text: str) -> str:
    touch, _, at = text.partition(" at ")
    return f"{touch} at {words(moment(at))}"


RULES_OF_THE_CASES = [
    *(f"T{n}" for n in (1, 3, 5, 6, 7)),
    *("I1", "I2", "I3"),
    *(f"D{n}" for n in (1, 2, 4, 5, 6)),
    *(f"S{n}" for n in range(1, 8)),
    *(f"A{n}" for n in (1, 2, 3, 4, 5, 6, 9, 10, 11)),
    *("P1", "P2"),
]


@pytest.mark.parametrize("rule", RULES_OF_THE_CASES)
def test_every_rule_has_a_case(rule: str) -> None:
    assert any(case.rule == rule for case in CASES)


def test_no_case_names_a_column_that_no_way_tells() -> None:
    named = {
        key
        for case in CASES
        for value in case.expected.values()
        if isinstance(value, list)
        for row in value
        for key in row
    }
    assert named <= SESSION_WORDS | CONVERSION_WORDS | LINE_WORDS
    assert {name for case in CASES for name in case.expected} <= {
        "sessions",
        "conversions",
        "lines",
        "duplicates",
        "late",
        "facts",
        "skewed",
        "recomputes",
    }


SESSION_WORDS = {
    "store",
    "start",
    "end",
    "session",
    "device",
    "events",
    "count",
    "first",
    "collection",
    "query",
    "product",
    "source",
    "medium",
    "campaign",
    "channel",
    "bot",
    "report",
    "kind",
    "landing",
    "landed_on",
    "converted",
    "orders",
    "revenue",
    "open",
}
CONVERSION_WORDS = {
    "store",
    "type",
    "at",
    "device",
    "session",
    "product",
    "variant",
    "quantity",
    "revenue",
    "currency",
    "match",
    "token",
    "line",
    "bot",
    "touches",
    "last",
    "path",
}
LINE_WORDS = {"order", "refund", "is_refund", "repeated", "unconfirmed"}
