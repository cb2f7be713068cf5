"""Goes on with more partitions: the same rows, and devices in other partitions from now on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.domain.reached import Reached
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.rebuild.begin_anew import GoOn, begin_with_keys, known_keys, reached
from pipeline.warehouse.rebuild.rebuild import settled
from pipeline.warehouse.resources import Resources

Grow = Callable[[dict[int, Reached], str, int], GoOn | None]
"""Prepares that the workers begin anew in more partitions, from where the old ones stand.

Takes the present era and the number of eras before the next one. None where that has been done.
"""


def grow(live: Path, rules: Rules, *, stream: Grow, resources: Resources | None = None) -> bool:
    """Have `live` go on with outcomes of more partitions. No row changes; False if it did already.

    `stream` lets the workers begin before `live` takes their outcomes: if it raises, or this
    process is killed, growing again does what is left. Raises `DatabaseError`.
    """
    if not live.exists():
        raise DatabaseError(f"there is no {live}: start the loader once, then run this again")
    with settled(live, resources) as connection:
        held = HeldRules.of(connection)
        if refusal := held.refusal(rules):
            raise DatabaseError(f"{live} {refusal}")
        former = [*held.former, held.era]
        go_on = stream(reached(connection, held), held.era, len(former))
        if go_on is None:
            return False
        go_on(known_keys(connection, held))
        connection.execute("BEGIN")
        begin_with_keys(connection)
        connection.execute("UPDATE rules SET former = ?", [former])
        connection.execute("COMMIT")
    return True
