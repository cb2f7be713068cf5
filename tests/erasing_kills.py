"""Dies by SIGKILL before the Nth thing that an erasure does; the next start finishes it.

`erasing_kills.py FOLDER EVERY` does it for one N in EVERY, in processes forked from this one, and
prints one line a kill. FOLDER holds a closed live database with an archive, its snapshots, and the
outcome that erases DEVICE in the file `OUTCOME`.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from each_kill import CALLS, Killer, Watched, kill_each
from searched import places_of
from warehouse_fixture import RULES

from pipeline.domain.outcomes import Outcome
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.erasing.receipts import receipt_file
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.erased import Eraser
from pipeline.warehouse.load.transaction import Ledger, Transactions
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.queries import broken
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

OUTCOME = "outcome.json"
DEVICE = "planted-3f9c"


class Watching(Killer):
    """Sees what the warehouse does to the disk."""

    def watch(self, _frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in CALLS:
            self.touch(called.__name__)


class Statements(Watched):
    """A connection whose statements a killer sees, with all of its other methods."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def life(live: Path, number: int = 0) -> None:
    """Erase as a loader does: a transaction, and then the files; dies before the `number`th."""
    killer = Watching(number)
    outcome = msgspec.json.decode(live.with_name(OUTCOME).read_bytes(), type=Outcome)
    with connect_live(live, RULES) as made:
        connection: Any = Statements(made, killer)
        transactions = Transactions(connection, Eraser(connection, live))
        batch = LoadBatch(RULES)
        if Ledger.read(connection).accepts(outcome.origin):
            batch.add(outcome)
            sys.setprofile(killer.watch)
            transactions.commit(batch)
            sys.setprofile(None)
    snapshot = live.with_name("analytics.duckdb")
    finishing = Finishing(live)
    with connect_live(live, RULES) as made:
        finishing.look(made)
    if not finishing.is_needed:
        return
    sys.setprofile(killer.watch)
    compact(live, RULES)
    with connect_live(live, RULES) as made:
        connection = Statements(made, killer)
        archiver = Archiver(connection, archive_folder(live), snapshot, after=timedelta(days=1))
        finishing.finish(connection, SnapshotPublisher(connection, live, snapshot), archiver)
        sys.setprofile(None)
        archiver.close()


def look(live: Path) -> None:
    """The next start has finished it: nothing is left, and all else is whole."""
    life(live)
    with connect_live(live, RULES) as connection:
        assert {name: a.rows for name, a in broken(connection).items() if a.rows} == {}
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(12,)]
        found = connection.execute(
            'SELECT device_hash, partition, "offset", finished_at FROM erasures'
        ).fetchall()
        ((device, partition, offset, finished_at),) = found
        assert finished_at is not None
        assert receipt_file(live, device, partition, offset).exists()
        folder = archive_folder(live)
        named = {folder / file.name for file in archive_files(connection)}
        assert named == {path for path in folder.rglob("*") if path.is_file()}
    assert not list(live.parent.glob("analytics.duckdb.[0-9]"))
    live.with_name(OUTCOME).unlink()
    assert places_of(DEVICE, live.parent) == []


if __name__ == "__main__":
    kill_each(Path(sys.argv[1]), life, look, every=int(sys.argv[2]))
