"""Random shopping with a cut in its midst: what is kept equals a recompute from the cut on (T11).

Devices shop for five days, under rules of half a day and more, so that midnights lie between all
bounds. Stream time moves on between the thirds, what is due goes, and of the rest some is late, and
some has expired when it comes.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from archived import freeze
from expired import PARTITIONS, slower, thirds
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.domain.rules import Rules
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.retention import derived, events

STORES = 25

ACROSS = "(SELECT derived_from FROM retention)"
HAPPENED = {
    "events expired": "SELECT CAST(sum(expired) AS BIGINT) FROM ledger",
    "orders gone": "SELECT count(*) FROM expired_orders",
    "sessions across": f"SELECT count(*) FROM sessions WHERE started_at < {ACROSS}",
    "lines across": f"SELECT count(*) FROM order_lines WHERE occurred_at < {ACROSS}",
    "orders of sessions across": f"""
        SELECT count(*) FROM sessions WHERE orders > 0 AND started_at < {ACROSS}
    """,
    "touches across": f"""
        SELECT count(*) FROM conversion_touches
        WHERE touched_at < {ACROSS} AND occurred_at >= {ACROSS}
    """,
    "purchases across": f"SELECT count(*) FROM conversion_facts WHERE occurred_at < {ACROSS}",
    "reports of orders gone": f"""
        SELECT count(*) FROM reported_lines('events')
        WHERE occurred_at >= {ACROSS} AND order_key_of(store_id, order_id, event_key, occurred_at)
            IN (FROM expired_orders)
    """,
    "refunds counted": "SELECT count(*) FROM refunds WHERE state = 'counted'",
    "whole days": "SELECT count(*) FROM daily_sessions WHERE is_whole_day(day)",
    "days that stay": "SELECT count(*) FROM daily_sessions WHERE NOT is_whole_day(day)",
}

GONE = {
    "events gone": "SELECT CAST(coalesce(sum(events), 0) AS BIGINT) FROM dropped_rows",
    "orders with a report gone": "SELECT count(*) FROM settled_orders",
    "conversions with touches gone": """
        SELECT count(*) FROM conversion_facts WHERE NOT has_events_of_conversion(occurred_at)
    """,
}


@pytest.fixture(scope="module", params=[RULES, TIGHT], ids=["roomy", "tight"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return slower(request.param)


def freeze_what_is_cut(warehouse: Warehouse) -> None:
    """Every second day before the cut, as a file each."""
    days = warehouse.rows(
        "SELECT DISTINCT day FROM hot_events, retention WHERE day < derived_from ORDER BY day"
    )
    for (day,) in days[::2]:
        freeze(warehouse.connection, archive_folder(warehouse.path), Span(day, day))


@pytest.mark.parametrize(
    "events_go",
    [
        pytest.param(False, id="events stay", marks=pytest.mark.long),
        pytest.param(True, id="events go"),
    ],
)
def test_t11_what_is_kept_equals_a_recompute_from_the_cut_on(
    warehouse: Warehouse, every: int, *, events_go: bool
) -> None:
    """After one in `every` transactions, and one in so many of the days that go."""
    chance, found = Random(11), Counter[str]()  # noqa: S311  # examples, the same each time
    told = [thirds(chance, warehouse.rules, number=number) for number in range(STORES)]
    connection, unnamed, steps = warehouse.connection, list[str](), count()

    def check() -> None:
        if next(steps) % every == 0:
            assert warehouse.broken() == {}

    for outcomes in zip(*told, strict=True):
        warehouse.load(outcome for some in outcomes for outcome in some[: len(some) // 2])
        check()
        warehouse.load(outcome for some in outcomes for outcome in some)
        check()
        # No less than the lateness, without which an event on time could lie before the cut.
        while derived.expire(connection, warehouse.rules.lateness, partitions=STORES * PARTITIONS):
            check()
            found += Counter({name: warehouse.rows(text)[0][0] for name, text in HAPPENED.items()})
        if events_go:
            freeze_what_is_cut(warehouse)
            folder = archive_folder(warehouse.path)
            # As soon as nothing that is kept needs them.
            while events.expire(connection, timedelta(0), folder=folder, unnamed=unnamed.extend):
                check()
                found += Counter({name: warehouse.rows(text)[0][0] for name, text in GONE.items()})
    assert warehouse.broken() == {}
    assert set(found) == {*HAPPENED, *(GONE if events_go else ())}, found
    assert bool(unnamed) == events_go
