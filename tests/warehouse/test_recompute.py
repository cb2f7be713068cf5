"""The oracle: after each transaction every derived table equals a recompute from `events`.

`make test ARGS="--examples=100000 --timeout=0 tests/warehouse/test_recompute.py"` looks for longer
than the tests do. What fails is made small, and stays as a file under `tests/golden/cases`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from shrink import CASES, read_case, shrunk, write_case
from strategies import Story, gathered, transactions_of
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.domain.rules import Rules

# Some stories run alone, the others so many at a time: faster, but a bound that is too tight for
# one story may be loose enough for many.
TOGETHER = 500
FACTS = """
    FROM events ORDER BY partition, "offset", event_key, occurred_at
"""


@pytest.fixture(scope="module", params=[RULES, TIGHT], ids=["roomy", "tight"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


def load_and_check(warehouse: Warehouse, stories: list[Story]) -> list[str]:
    """The differences after any transaction of these interleaved stories; none if all is well."""
    warehouse.clear()
    turns = [transactions_of(story, warehouse.rules, number=n) for n, story in enumerate(stories)]
    for turn in range(max(map(len, turns))):
        warehouse.load([o for batches in turns if turn < len(batches) for o in batches[turn]])
        if broken := warehouse.broken():
            return [f"transaction {turn}: {name}: {rows}" for name, rows in broken.items()]
    facts = warehouse.rows(FACTS)
    # In one transaction: facts do not depend on where transactions end.
    warehouse.clear()
    warehouse.load([outcome for batches in turns for batch in batches for outcome in batch])
    wrong = [f"at once: {name}: {rows}" for name, rows in warehouse.broken().items()]
    return wrong if warehouse.rows(FACTS) == facts else [*wrong, "at once: other facts"]


def holds(warehouse: Warehouse, stories: list[Story]) -> None:
    """Fail with the smallest stories that break a promise, kept as a case."""
    if not load_and_check(warehouse, stories):
        return
    small = shrunk(stories, lambda some: bool(load_and_check(warehouse, some)))
    path = write_case(small)
    pytest.fail(f"{path.name}: {load_and_check(warehouse, small)}")


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_what_failed_once_does_not_fail_again(warehouse: Warehouse, path: Path) -> None:
    assert load_and_check(warehouse, read_case(path)) == []


def test_every_derived_table_equals_its_recompute_after_every_transaction(
    warehouse: Warehouse, request: pytest.FixtureRequest, *, long: bool
) -> None:
    wanted = int(request.config.getoption("--examples"))
    number = found = 0
    began = time.monotonic()
    while found < wanted:
        stories = gathered(min(1000, wanted - found), number=number)
        alone = 0 if number else 20 if long else 8
        for story in stories[:alone]:
            holds(warehouse, [story])
        for start in range(alone, len(stories), TOGETHER):
            holds(warehouse, stories[start : start + TOGETHER])
        found, number = found + len(stories), number + 1
        print(f"{found} stories, {time.monotonic() - began:.0f} s", flush=True)
