"""Adopts other rules: the same events, counted by them from the first one on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.domain.reached import Reached
from pipeline.domain.rules import Rules
from pipeline.warehouse.beside import beside
from pipeline.warehouse.database import (
    DatabaseError,
    NoSnapshotError,
    attached,
    open_published,
)
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.queries import QueryResult
from pipeline.warehouse.rebuild.begin_anew import (
    GoOn,
    begin_with_keys,
    known_keys,
    reached,
)
from pipeline.warehouse.rebuild.rebuild import Progress, rebuilt, replaced, settled
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.copying import CopyError, copied
from pipeline.warehouse.sql import files


@dataclass(frozen=True)
class Plan:
    """What other rules would change: each figure before and after, in all and by store and day."""

    totals: QueryResult
    days: QueryResult


Stream = Callable[[dict[int, Reached], int], GoOn]
"""Prepares that workers begin anew from where partitions stand, after so many adoptions of rules.

What it returns takes the keys by which they will find repeats, and lets them begin. Both raise
where that cannot be.
"""


def plan(
    snapshot: Path,
    live: Path,
    rules: Rules,
    *,
    zones: Mapping[str, str],
    progress: Progress,
    resources: Resources | None = None,
) -> Plan:
    """What `adopt` would change of the published `snapshot`. Works beside `live`, leaves nothing.

    Raises `DatabaseError`.
    """
    if not snapshot.exists():
        raise NoSnapshotError(f"there is no snapshot at {snapshot} to plan with")
    try:
        with (
            beside(live) as fresh,
            copied(snapshot, fresh.with_name(f"{fresh.name}.source")) as source,
        ):
            with settled(source, resources):
                pass
            with rebuilt(
                source, fresh, rules, zones=zones, resources=resources, progress=progress
            ) as connection:
                return _difference(connection)
    except CopyError as error:
        raise DatabaseError(f"{snapshot} could not be copied: {error}") from None


def adopt(
    live: Path,
    rules: Rules,
    *,
    zones: Mapping[str, str],
    stream: Stream,
    progress: Progress,
    resources: Resources | None = None,
) -> Plan:
    """Replace `live` by its events counted under `rules` and `zones`. Returns what changed.

    `stream` is asked first where the workers' rules change, and lets them begin last, before the
    new file takes its place: if it raises, or this process is killed, adopting again does what is
    left.
    Raises `DatabaseError`.
    """
    if not live.exists():
        raise DatabaseError(f"there is no {live}: a new one is made with the present rules")
    with settled(live, resources) as connection:
        held = HeldRules.of(connection)
        former = [*held.former]
        go_on: GoOn | None = None
        if held.digest != rules.digest():
            former.append(held.era)
            go_on = stream(reached(connection, held), len(former))
    with replaced(live, rules, zones=zones, resources=resources, progress=progress) as connection:
        connection.execute("UPDATE rules SET former = ?", [former])
        difference = _difference(connection)
        if go_on is not None:
            begin_with_keys(connection)
            go_on(known_keys(connection, held))
        return difference


def _difference(connection: duckdb.DuckDBPyConnection) -> Plan:
    text = dict(files("rebuild"))
    connection.execute(text["figures"])

    def answered(name: str) -> QueryResult:
        result = connection.execute(text[name])
        return QueryResult([column[0] for column in result.description or []], result.fetchall())

    return Plan(totals=answered("changed_totals"), days=answered("changed_days"))


def compared(
    live: Path, snapshot: Path, rules: Rules, *, zones: Mapping[str, str]
) -> tuple[QueryResult, QueryResult]:
    """The rules of the warehouse beside `rules`, and of each store the zone beside `zones`.

    Also the newest migration of both: where they differ, this version's loader changes the tables.
    Reads the snapshot while a loader has `live` open. Raises `NoSnapshotError` without either.
    """
    with _readable(live, snapshot) as connection:
        held = HeldRules.of(connection)
        kept = connection.execute("SELECT store_id, timezone FROM stores ORDER BY ALL").fetchall()
        newest = connection.execute("SELECT max(name) FROM migrations").fetchall()
    rows: list[tuple[object, ...]] = [
        (name, getattr(held, name), getattr(rules, name))
        for name in ("gap", "lookback", "lateness", "half_life", "most_touches")
    ]
    rows += [
        ("stream digest", held.digest, rules.digest()),
        ("warehouse digest", held.warehouse_digest, rules.warehouse_digest()),
        ("adoptions", len(held.former), ""),
        ("newest migration", newest[0][0], max(dict(files("migrations")))),
    ]
    return (
        QueryResult(["rule", "warehouse", "settings"], rows),
        QueryResult(
            ["store", "warehouse", "stores file"],
            [(store, zone, zones.get(store)) for store, zone in kept],
        ),
    )


def _readable(live: Path, snapshot: Path) -> duckdb.DuckDBPyConnection:
    try:
        return attached(live)
    except duckdb.IOException:
        return open_published(snapshot)
