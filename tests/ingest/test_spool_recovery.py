"""Recovery of abandoned spools: a batch is copied durably first, then deleted."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from ingest.spooling import ONE, ROOM, TWO, GatedSpool, backlog_of, left_in, until

from pipeline.delivery.publisher import Record
from pipeline.delivery.recovery import recover_abandoned
from pipeline.delivery.spool import Spool


def abandon(folder: Path, *records: Record) -> None:
    """Leave the spool of a dead process, instance 1: a batch per record."""
    spool = Spool(folder, cap=ROOM)
    spool.open(instance=1)
    for seq, record in enumerate(records, start=1):
        spool.write([record], seq=seq, spooled_at=1000, delete=[])
    spool.close()


def test_what_finds_no_room_stays_where_it_is(tmp_path: Path) -> None:
    abandon(tmp_path, ONE, TWO)

    async def scenario() -> None:
        backlog = backlog_of(Spool(tmp_path, cap=1))
        await recover_abandoned(backlog, lambda: None)
        backlog.close()

    asyncio.run(scenario())
    assert left_in(tmp_path, instance=1) == [ONE, TWO]


def test_a_batch_is_deleted_only_after_its_copy_is_durable(tmp_path: Path) -> None:
    abandon(tmp_path, ONE)
    spool = GatedSpool(tmp_path)
    found: list[tuple[int]] = []

    async def scenario() -> None:
        backlog = backlog_of(spool)
        spool.write_gate.clear()
        recovering = asyncio.create_task(recover_abandoned(backlog, lambda: None))
        await until(lambda: spool.writes)
        other = sqlite3.connect(tmp_path / "1.db")
        found.extend(other.execute("SELECT count(*) FROM batches").fetchall())
        other.close()
        spool.write_gate.set()
        await recovering
        backlog.close()

    asyncio.run(scenario())
    assert found == [(1,)]
    assert left_in(tmp_path) == [ONE]
    assert not (tmp_path / "1.db").exists()
