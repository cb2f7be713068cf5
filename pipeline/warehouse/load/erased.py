"""Takes all that is held of erased devices out of the tables, within a transaction (E1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.domain.catalog import RANK
from pipeline.domain.erasure import customer_key, known_in
from pipeline.warehouse.aggregates import AGGREGATES
from pipeline.warehouse.erasing.erasures import ErasureKey, Erasures
from pipeline.warehouse.erasing.rewriting import of_devices, rewritten
from pipeline.warehouse.load.steps import Step, aggregate_steps, load_steps, no_longer_summed
from pipeline.warehouse.manifest import archive_files
from pipeline.warehouse.retention import derived
from pipeline.warehouse.sql import files

Run = Callable[[Sequence[Step], set[str]], None]
"""Runs steps; the names are those of what is there (`Step`)."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a record asks for: the rows of a device, all of which are at or before `until` (ms).

    With `customer` only those made from events of that customer (E3).
    """

    store_id: str
    device_key: str
    until: int
    partition: int
    offset: int
    customer: str | None = None

    @property
    def key(self) -> str:
        """Whose the erasure is: the device, or the customer."""
        return self.device_key if self.customer is None else customer_key(self.customer)


class Eraser:
    """Erases devices in the database `live`, which `connection` has open.

    Files of the archive that are written again get the mode `mode`. `erasures` are those that the
    database holds.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, live: Path, *, mode: int = 0o400
    ) -> None:
        self._connection = connection
        self._live = live
        self._mode = mode
        self.erasures = Erasures.read(connection, live)
        connection.execute(dict(files("erase"))["staging_tables"])
        self._clearing = _clearing(connection)
        self._steps = _steps(connection)
        self._adding = _adding(connection)

    def erase(self, asked: Sequence[Erasure], run: Run) -> None:
        """Within a transaction: as if the devices had never sent anything.

        `run` runs steps. Raises duckdb.Error, OSError and `ArchiveError`; the transaction must then
        be rolled back.
        """
        connection, key = self._connection, ErasureKey.made(self._live)
        self._stage(
            "erased_devices",
            [
                (
                    each.store_id,
                    each.device_key,
                    key.hash_of(each.store_id, each.key),
                    key.hash,
                    each.until,
                    each.partition,
                    each.offset,
                    each.customer,
                )
                for each in asked
            ],
            "* REPLACE (make_timestamp_ms(erased_at) AS erased_at)",
        )
        self._stage("erased_rejected", self._rejected(asked))
        devices = [(each.store_id, each.device_key) for each in asked]
        with connection.cursor() as beside:
            archive = rewritten(
                beside, self._live, archive_files(beside), of_devices(devices), mode=self._mode
            )
        in_files = f"""
            INSERT INTO erased_events BY NAME
            FROM {archive.rows} SEMI JOIN erased_devices USING (store_id, device_key)
        """  # our own names
        found = [
            self._clearing,
            Step("hot_events", dict(files("erase"))["hot_events"]),
            *([Step("archived events", in_files)] if archive.rows else []),
        ]
        try:
            there: set[str] = set()
            run(found, there)
            archive.name(connection)
            run(self._steps, there)
            if any(each.customer is not None for each in asked):
                run([self._clearing], set())
                run(self._adding, {*RANK, *_STANDING, "in_events"})
            # An order may have lost its latest report, or touches have come again.
            derived.expire_again(connection)
        except BaseException:
            archive.discard()
            raise

    def remember(self, asked: Sequence[Erasure]) -> None:
        """After the commit: take nothing more of the devices."""
        for each in asked:
            key = ErasureKey.made(self._live)
            self.erasures.add(key, each.store_id, each.key, until=each.until)

    def _rejected(self, asked: Sequence[Erasure]) -> list[tuple[str, str, int]]:
        """Rows of the devices in `rejected_events`, which has no column for a device."""
        whose = {(each.store_id, each.key): each for each in asked}
        stores: dict[str, set[str]] = {}
        for store, key in whose:
            stores.setdefault(store, set()).add(key)
        rows = self._connection.execute(
            "SELECT store_id, epoch_ms(received_at), raw, rowid FROM rejected_events"
            " WHERE store_id IN (SELECT unnest(?)) AND received_at IS NOT NULL",
            [list(stores)],
        ).fetchall()
        return [
            (store, whose[store, key].device_key, row)
            for store, received_at, raw, row in rows
            for key in known_in(raw, stores[store])
            if received_at <= whose[store, key].until
        ]

    def _stage(self, table: str, rows: Sequence[tuple[Any, ...]], columns: str = "*") -> None:
        """Put `rows` into a staging table, in the place of what it holds."""
        connection = self._connection
        connection.execute(f"TRUNCATE {table}")
        if rows:
            names = [column for column, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
            arrived = dict(zip(names, zip(*rows, strict=True), strict=True))
            connection.register("arrived", pa.table(arrived))
            connection.execute(f"INSERT INTO {table} SELECT {columns} FROM arrived")  # noqa: S608  # our own
            connection.unregister("arrived")


def _clearing(connection: duckdb.DuckDBPyConnection) -> Step:
    """Empties the working tables of the steps before."""
    names = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE temporary ORDER BY ALL"
    ).fetchall()
    kept = ("in_", "erased_", "kept_")
    return Step("clear", ";".join(f"TRUNCATE {n}" for (n,) in names if not n.startswith(kept)))


def _steps(connection: duckdb.DuckDBPyConnection) -> list[Step]:
    """After `hot_events`, when `erased_events` are all events of the devices."""
    loading = {step.name: step for step in load_steps(connection)}
    erasing = {name: Step(name, text) for name, text in files("erase")}
    return [
        erasing["kept_events"],
        erasing["duplicates"],
        erasing["rejected_events"],
        erasing["order_lines"],
        loading["orders_to_confirm"],
        loading["settled_lines"],
        loading["confirmed_lines"],
        loading["changed_lines"],
        loading["old_lines"],
        erasing["old_lines"],
        loading["replaced_lines"],
        loading["new_lines"],
        erasing["sessions"],
        loading["sessions_of_old_lines"],
        replace(loading["write_sessions"], if_any=("old_sessions",)),
        *no_longer_summed(
            connection, erased=replace(erasing["summed_events"], if_any=("summed_sessions",))
        ),
        erasing["conversions"],
        loading["conversions_of_old_lines"],
        loading["near conversions of old lines"],
        loading["write_conversions"],
        *aggregate_steps(connection, [each.erased() for each in AGGREGATES]),
        erasing["erasures"],
    ]


# What of earlier transactions may matter to the events that stay.
_STANDING = ("late_devices", "expired_orders")
# What has run already, or is about records and not about events.
_DONE = {
    "rejected_events",
    "expired_events",
    "late_events",
    "facts",
    "duplicates",
    "merged_devices",
    "forgotten_late_devices",
    "merged_events",
    "ledger",
    "positions",
    "missing_events_settled",
}


def _adding(connection: duckdb.DuckDBPyConnection) -> list[Step]:
    """Then, for customers: the events that stay come as if they were new."""
    erasing = {name: Step(name, text) for name, text in files("erase")}
    steps: list[Step] = []
    for step in load_steps(connection):
        if step.name == "facts":
            steps.append(erasing["arrive_again"])
        if step.name == "merged_devices":
            steps.append(erasing["merged_again"])
        if step.name not in _DONE:
            steps.append(step)
        if step.name == "new_conversions_of_merged":
            steps.append(erasing["kept_conversions"])
        if step.name == "late_devices":
            steps.append(erasing["forgotten_late_devices"])
    return steps
