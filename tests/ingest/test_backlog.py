"""Delivered batches are deleted from the spool, also if the disk is slow or fails."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from ingest.spooling import ONE, ROOM, GatedSpool, ManualProducer, WatchedCircuit, backlog_of, until

from pipeline.delivery.backlog import DELETE_AFTER_SECONDS
from pipeline.delivery.pending import PendingRecord
from pipeline.delivery.spool import Spool


def test_a_batch_counts_as_deleted_while_the_commit_that_deletes_it_runs(tmp_path: Path) -> None:
    spool = GatedSpool(tmp_path)

    async def scenario() -> None:
        backlog = backlog_of(spool)
        (batch,) = backlog.add_in_flight([PendingRecord(ONE)])
        await until(lambda: spool.depth)
        spool.write_gate.clear()
        backlog.delete(batch.seq)
        assert backlog.is_deleted(batch.seq)
        await until(lambda: ([], [batch.seq]) in spool.writes)
        assert backlog.is_deleted(batch.seq)
        spool.write_gate.set()
        await until(lambda: spool.depth == 0)
        backlog.close()

    asyncio.run(scenario())


def test_a_batch_delivered_while_it_is_read_is_not_sent_again(tmp_path: Path) -> None:
    spool, producer = GatedSpool(tmp_path), ManualProducer()

    async def scenario() -> None:
        backlog = backlog_of(spool)
        circuit = WatchedCircuit(producer, backlog)
        in_flight = PendingRecord(ONE)
        batches = backlog.add_in_flight([in_flight])
        await until(lambda: spool.depth)
        spool.read_gate.clear()
        circuit.start()
        circuit.replay.track(batches)
        await until(lambda: spool.reads == 1)
        # The acknowledgement comes before the batch that was read reaches the event loop.
        circuit.replay.delivered(in_flight, None)
        # The commit that deletes it waits for the disk.
        await asyncio.sleep(2 * DELETE_AFTER_SECONDS)
        spool.read_gate.set()
        await until(lambda: spool.depth == 0)
        circuit.stop()
        backlog.close()

    asyncio.run(scenario())
    assert producer.sent == []


def test_a_failed_delete_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, cap=ROOM)

    async def scenario() -> None:
        backlog = backlog_of(spool)
        (batch,) = backlog.add_in_flight([PendingRecord(ONE)])
        await until(lambda: spool.depth)
        connection = spool._connection  # noqa: SLF001  # SQLite must not wait for the lock
        assert connection is not None
        connection.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "0.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        backlog.delete(batch.seq)
        await until(lambda: "the spool cannot be written" in caplog.text)
        assert backlog.is_deleted(batch.seq)
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: spool.depth == 0)
        await until(lambda: not backlog.is_deleted(batch.seq))
        backlog.close()

    asyncio.run(scenario())
