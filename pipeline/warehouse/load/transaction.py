"""The loader's transaction, and the ledger that decides which outcomes belong in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from pipeline.domain.outcomes import Origin
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.erased import Eraser, Erasure
from pipeline.warehouse.load.steps import Step, load_steps, staged

NOTHING: Mapping[str, int] = MappingProxyType({})


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


class Transactions:
    """Loads one batch at a time over one connection.

    Without an `eraser` no batch may erase a device.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, eraser: Eraser | None = None) -> None:
        self._connection = connection
        self._eraser = eraser
        self._steps = load_steps(connection)
        held = connection.execute("SELECT store_id, timezone FROM stores").fetchall()
        self.zones: dict[str, str] = dict(held)
        """Of each store the zone that its days are in: that of its first record (T10)."""

    def commit(self, batch: LoadBatch) -> None:
        """Write all of `batch` or nothing. Raises duckdb.Error with the old state intact.

        Where it erases devices, also OSError and `ArchiveError`.
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
            arrived: dict[str, int] = {}
            for name, rows in batch.tables().items():
                arrived[name] = len(rows)
                connection.execute(f"TRUNCATE {name}")
                if len(rows):
                    connection.register("arrived", rows)
                    connection.execute(staged(name))
                    connection.unregister("arrived")
            self._run(self._steps, arrived)
            if batch.erasures:
                # Last: what this batch brings of a device is before its erasure.
                self._erase(list(batch.erasures.values()))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self.zones |= new
        if self._eraser:
            self._eraser.remember(list(batch.erasures.values()))

    def _erase(self, asked: Sequence[Erasure]) -> None:
        if self._eraser is None:
            raise RuntimeError("a batch that erases a device needs an eraser")
        self._eraser.erase(asked, self._run)

    def _run(self, steps: Sequence[Step], arrived: Mapping[str, int] = NOTHING) -> None:
        for step in steps:
            if not step.if_any or any(self._is_some(one, arrived) for one in step.if_any):
                if step.near:
                    step.near.define(self._connection)
                if step.text:
                    self._connection.execute(step.text)

    def _is_some(self, relation: str, arrived: Mapping[str, int]) -> bool:
        """Whether `relation`, a table with or without a condition, may have a row.

        `arrived` is how many rows came for each staging table: most need no query.
        """
        table, _, condition = relation.partition(" ")
        if table in arrived and (not arrived[table] or not condition):
            return arrived[table] > 0
        return bool(self._connection.execute(f"SELECT EXISTS (FROM {relation})").fetchall()[0][0])
