"""The loader's transaction, and the ledger that decides which outcomes belong in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.domain.outcomes import Origin
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.erased import Eraser, Erasure
from pipeline.warehouse.load.steps import STANDING, Step, load_steps, staged

Parsed = tuple[Step, list[duckdb.Statement]]


@dataclass(slots=True)
class Ledger:
    """The origins that the warehouse holds: (topic id, next offset) by partition of `beacons`."""

    next_origins: dict[int, tuple[str, int]]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> Ledger:
        """As of the last commit."""
        held = connection.execute("SELECT partition, topic_id, next_origin FROM ledger").fetchall()
        return cls({partition: (topic_id, following) for partition, topic_id, following in held})

    def accepts(self, origin: Origin) -> bool:
        """True for the next origin of its partition, False for one that is already loaded.

        The first origin of a new partition is accepted. Raises `DatabaseError` on a hole, which
        is never skipped, and on an origin of another topic.
        """
        topic_id, expected = self.next_origins.get(
            origin.partition, (origin.topic_id, origin.offset)
        )
        if topic_id != origin.topic_id:
            raise DatabaseError(
                f"partition {origin.partition}: outcomes of topic {origin.topic_id}, but the ledger"
                f" holds those of {topic_id}: the topic was recreated; start with a new database"
            )
        if origin.offset > expected:
            raise DatabaseError(
                f"partition {origin.partition}: offsets {expected}-{origin.offset - 1} of beacons"
                f" have no outcome (the next one is {origin.offset}); nothing was loaded past them:"
                " let the workers catch up, or look for them in the topic"
            )
        if origin.offset < expected:
            return False
        self.next_origins[origin.partition] = (origin.topic_id, origin.offset + 1)
        return True


# Of DuckDB: they take longer than they save over a transaction's few rows. The steps say themselves
# what to join first. What skips rows of large tables stays, and `tests/warehouse/test_flat.py`
# looks at it.
LEFT_OUT = (
    "aggregate_reuse",
    "common_subplan",
    "compressed_materialization",
    "duplicate_groups",
    "grouping_sets",
    "join_elimination",
    "join_order",
    "outer_join_simplification",
    "partial_aggregate_pushdown",
    "projection_placement",
    "projection_pullup",
    "redundant_order_keys",
    "top_n_window_elimination",
)

_INSERT = re.compile(r"^\s*(?:INSERT|MERGE) INTO (\w+)", re.MULTILINE)


class Transactions:
    """Loads one batch at a time over one connection.

    Without an `eraser` no batch may erase a device.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, eraser: Eraser | None = None) -> None:
        self._connection = connection
        self._eraser = eraser
        connection.execute(f"SET disabled_optimizers = '{','.join(LEFT_OUT)}'")
        # Parsed once: that takes as long as some of them run.
        self._steps = [
            (step, connection.extract_statements(step.text)) for step in load_steps(connection)
        ]
        working = connection.execute("SELECT table_name FROM duckdb_tables() WHERE temporary")
        self._working = {name for (name,) in working.fetchall()}
        self._used = self._working
        self._staged = {
            name: connection.extract_statements(staged(name))[0]
            for name in self._working
            if name.startswith("in_")
        }
        held = connection.execute("SELECT store_id, timezone FROM stores").fetchall()
        self.zones: dict[str, str] = dict(held)
        """Of each store the zone that its days are in: that of its first record (T10)."""

    def commit(self, batch: LoadBatch) -> LoadBatch:
        """Write all of `batch`, which is returned, or nothing.

        Raises duckdb.Error with the old state intact; where it erases devices, also OSError and
        `ArchiveError`.
        """
        connection = self._connection
        new = {store: zone for store, zone in batch.stores.items() if store not in self.zones}
        connection.execute("BEGIN")
        try:
            # First: the days of all rows are by these zones.
            for store, zone in new.items():
                connection.execute(
                    "INSERT INTO stores VALUES ($store, $zone, zone_digest($zone))",
                    {"store": store, "zone": zone},
                )
            there = self._stage(batch)
            self._run(self._steps, there)
            if batch.erasures:
                # Last: what this batch brings of a device is before its erasure.
                self._erase(list(batch.erasures.values()))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._used = self._working if batch.erasures else there & self._working
        if self._eraser:
            self._eraser.remember(list(batch.erasures.values()))
        self.zones |= new
        return batch

    def change(self, steps: Sequence[Step]) -> set[str]:
        """Run `steps` in a transaction of their own. Returns the names of what is there (`Step`).

        Raises duckdb.Error with the old state intact.
        """
        connection, there = self._connection, set[str]()
        connection.execute("BEGIN")
        try:
            self._empty()
            self._run([(step, connection.extract_statements(step.text)) for step in steps], there)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._used = there & self._working
        return there

    def _empty(self) -> None:
        for name in self._used:
            self._connection.execute(f"TRUNCATE {name}")

    def _run(self, steps: Sequence[Parsed], there: set[str]) -> None:
        for step, statements in steps:
            if step.may_change(there) and self._holds(step.condition):
                if step.near:
                    step.near.define(self._connection)
                for statement in statements:
                    self._execute(statement, there)

    def _erase(self, asked: Sequence[Erasure]) -> None:
        if self._eraser is None:
            raise RuntimeError("a batch that erases a device needs an eraser")
        parsed = self._connection.extract_statements
        self._eraser.erase(
            asked,
            lambda steps, there: self._run([(step, parsed(step.text)) for step in steps], there),
        )

    def _stage(self, batch: LoadBatch) -> set[str]:
        """Fill the staging tables. Returns the names of what is there (`Step`)."""
        connection = self._connection
        self._empty()
        there = set(batch.kinds)
        # DuckDB finds the variable `arrived` by its name: to register a view takes longer.
        for name, arrived in batch.tables().items():
            if len(arrived):
                connection.execute(self._staged[name])
                there.add(name)
        (counts,) = connection.execute(STANDING).fetchall()
        there |= {
            about[0] for about, count in zip(connection.description, counts, strict=True) if count
        }
        return there

    def _holds(self, condition: str) -> bool:
        if not condition:
            return True
        return bool(self._connection.execute(f"SELECT EXISTS (FROM {condition})").fetchall()[0][0])

    def _execute(self, statement: duckdb.Statement, there: set[str]) -> None:
        (answer,) = self._connection.execute(statement).fetchall()
        inserted = _INSERT.search(statement.query)
        if inserted and answer[0]:
            there.add(inserted[1])
