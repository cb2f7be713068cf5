"""What is forgotten of the spool, while the disk is slow and where it fails."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from ingest.spooling import ONE, ROOM, ByHand, GatedSpool, backlog_of, replay_of, until

from pipeline.delivery.backlog import FORGET_AFTER
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.spool import Spool


def test_a_batch_is_forgotten_while_the_commit_that_deletes_it_runs(tmp_path: Path) -> None:
    spool = GatedSpool(tmp_path)

    async def story() -> None:
        backlog = backlog_of(spool)
        (batch,) = backlog.add_flying([PendingRecord(ONE)])
        await until(lambda: spool.depth)
        spool.write_gate.clear()
        backlog.forget(batch.seq)
        assert backlog.is_forgotten(batch.seq)
        await until(lambda: ([], [batch.seq]) in spool.writes)
        assert backlog.is_forgotten(batch.seq)
        spool.write_gate.set()
        await until(lambda: spool.depth == 0)
        backlog.close()

    asyncio.run(story())


def test_what_lands_while_it_is_read_is_not_sent_again(tmp_path: Path) -> None:
    spool, sender = GatedSpool(tmp_path), ByHand()

    async def story() -> None:
        backlog = backlog_of(spool)
        replay, _ = replay_of(sender, backlog)
        flying = PendingRecord(ONE)
        (batch,) = backlog.add_flying([flying])
        await until(lambda: spool.depth)
        spool.read_gate.clear()
        replay.start()
        replay.opened([batch])
        await until(lambda: spool.reads == 1)
        # The file was read; what was read of it reaches the loop only after the acknowledgement.
        replay.landed(batch, flying.place, None)
        # The commit that deletes it has begun to wait for the disk.
        await asyncio.sleep(2 * FORGET_AFTER)
        spool.read_gate.set()
        await until(lambda: spool.depth == 0)
        replay.stop()
        backlog.close()

    asyncio.run(story())
    assert sender.sent == []


def test_what_could_not_be_forgotten_is_forgotten_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, cap=ROOM)

    async def story() -> None:
        backlog = backlog_of(spool)
        (batch,) = backlog.add_flying([PendingRecord(ONE)])
        await until(lambda: spool.depth)
        connection = spool._connection  # noqa: SLF001  # SQLite shall not wait for the other one
        assert connection is not None
        connection.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "0.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        backlog.forget(batch.seq)
        await until(lambda: "the spool takes nothing" in caplog.text)
        assert backlog.is_forgotten(batch.seq)
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: spool.depth == 0)
        assert not backlog.is_forgotten(batch.seq)
        backlog.close()

    asyncio.run(story())
