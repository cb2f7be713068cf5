"""The oracle: after each transaction every derived table equals a recompute from `events`.

`make test ARGS="--examples=5000 tests/warehouse"` looks for longer than the tests do.
"""

from __future__ import annotations

import pytest
from house import Warehouse
from hypothesis import HealthCheck, given, settings
from stories import Story, stories, told

FACTS = 'SELECT * EXCLUDE (raw) FROM events ORDER BY partition, "offset", event_key, occurred_at'


def load(warehouse: Warehouse, story: Story, *, at_once: bool = False) -> None:
    warehouse.clear()
    outcomes = told(story, warehouse.rules)
    waiting = []
    for index, outcome in enumerate(outcomes[story.begins :], start=story.begins):
        waiting.append(outcome)
        # A worker that was killed sends outcomes again: any earlier one may come a second time.
        if index in story.repeats:
            waiting += outcomes[story.begins : index + 1]
        if index in story.commits and not at_once:
            warehouse.load(waiting)
            assert warehouse.broken() == {}
            waiting = []
    warehouse.load(waiting)
    assert warehouse.broken() == {}


@pytest.mark.timeout(0)  # as long as `--examples` asks for
def test_every_derived_table_equals_its_recompute_after_every_transaction(
    warehouse: Warehouse, request: pytest.FixtureRequest
) -> None:
    @given(stories())
    @settings(
        max_examples=int(request.config.getoption("--examples")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def holds(story: Story) -> None:
        load(warehouse, story)
        facts = warehouse.rows(FACTS)
        load(warehouse, story, at_once=True)
        assert warehouse.rows(FACTS) == facts

    holds()
