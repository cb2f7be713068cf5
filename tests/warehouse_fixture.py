"""A live database that is created once and emptied between examples."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.topics import Rejected
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.erasing.erasures import Erasures
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.erased import Eraser
from pipeline.warehouse.load.summing import Summing
from pipeline.warehouse.load.transaction import Ledger, Transactions
from pipeline.warehouse.manifest import archive_folder, define_events
from pipeline.warehouse.queries import broken
from pipeline.warehouse.sql import table_macros

# Short, so that a few hours of events reach every bound.
RULES = Rules(
    gap=timedelta(minutes=30),
    lookback=timedelta(minutes=120),
    lateness=timedelta(minutes=60),
    most_touches=3,
)
# A device is over the state limit after a few events: nearly all are treated as late.
TIGHT = msgspec.structs.replace(RULES, most_keys=5, most_rows=3, most_claims=2)
# Sessions that may be added to the sums after a transaction: few, so that some wait.
SUMMED = 3
KEPT = {"migrations", "rules", "archive_folder"}


def called(macro: str, days: str) -> str:
    """The call of a table macro for `days`, and of all sessions or conversions."""
    parameters, _ = table_macros()[macro]
    given = {
        "first_day, last_day": days,
        "of_all": "true",
        "sold": "'conversions'",
        "wanted": "'refunds'",
        "lines": "'order_lines'",
        "refunded": "'refunds'",
    }
    text = ", ".join(parameters)
    for parameter, value in given.items():
        text = text.replace(parameter, value)
    return f"{macro}({text})"


@cache
def _new(rules: Rules) -> Path:
    """A database without rows: to create one takes twice as long as to open a copy."""
    path = Path(tempfile.mkdtemp()) / "live.duckdb"
    connect_live(path, rules).close()
    return path


class Warehouse:
    """A live database under `rules`, and what a loader does with outcomes."""

    def __init__(self, path: Path, rules: Rules = RULES, *, keep: bool = False) -> None:
        self.rules = rules
        self.path = path
        self._eraser: Eraser | None = None
        is_new = not path.exists()
        if is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_new(rules), path)
        self.connection = connect_live(path, rules)
        if is_new:
            self.connection.execute("UPDATE archive_folder SET name = $1", [uuid4().hex[:8]])
        if not keep:
            self._truncate()
        self.restart()

    def clear(self) -> None:
        """Be as one that was just made, whose statements are parsed already."""
        self._truncate()
        self.transactions.zones.clear()
        self._read()

    def restart(self) -> None:
        """Read what a new process would."""
        # Once a connection: it makes temporary tables.
        self._eraser = self._eraser or Eraser(self.connection, self.path)
        self.transactions = Transactions(self.connection, self._eraser)
        self.summing = Summing(self.connection, self.transactions, most=SUMMED, quiet=timedelta(0))
        self._read()

    def _read(self) -> None:
        assert self._eraser is not None
        self._eraser.erasures = Erasures.read(self.connection, self.path)
        self._ledger = Ledger.read(self.connection)
        self._held = HeldRules.of(self.connection)

    def _truncate(self) -> None:
        tables = self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND estimated_size > 0"
        ).fetchall()
        # One commit is one fsync.
        self.connection.execute("BEGIN")
        for (name,) in tables:
            if name not in KEPT:
                self.connection.execute(f"TRUNCATE {name}")
        self.connection.execute("COMMIT")
        define_events(self.connection, archive_folder(self.path))

    def load(self, outcomes: Iterable[Outcome], *, is_summed: bool = True) -> list[Outcome]:
        """One transaction, of outcomes under these rules; more after an erasure, as the loader.

        With `is_summed` the sums by day move on after it.

        Returns those that were not loaded before.
        """
        batch, taken = self._new_batch(), []
        for outcome in outcomes:
            if self._ledger.accepts(outcome.origin):
                taken.append(outcome)
                if not batch.may_hold(outcome):
                    self.transactions.commit(batch)
                    batch = self._new_batch()
                batch.add(outcome)
        self.transactions.commit(batch)
        if is_summed:
            self.summing.add()
        return taken

    def _new_batch(self) -> LoadBatch:
        assert self._eraser is not None
        return LoadBatch(self.rules, known_erasures=self._eraser.erasures)

    def load_of_any_era(self, outcomes: Iterable[Outcome]) -> None:
        """One transaction, as the loader makes it where rules were adopted."""
        self.load([outcome for outcome in outcomes if self._held.takes(outcome.rules)])

    def load_rejected(self, events: Iterable[Rejected]) -> None:
        """Load rejected events in one transaction."""
        batch = self._new_batch()
        for rejected in events:
            batch.add_rejected(rejected)
        self.transactions.commit(batch)

    def broken(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of every check that does not hold."""
        return {
            name: answer.rows for name, answer in broken(self.connection).items() if answer.rows
        }

    def come_back(self) -> list[tuple[Any, ...]]:
        """Events up to the erasure of their device, or of their customer on all devices."""
        known = Erasures.read(self.connection, self.path)
        return [
            (store, *keys, at)
            for store, *keys, at in self.rows(
                "SELECT store_id, device_key, 'c:' || customer_id, epoch_ms(received_at)"
                " FROM events"
            )
            if known.have(store, [key for key in keys if key], received_at=at)
        ]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()
