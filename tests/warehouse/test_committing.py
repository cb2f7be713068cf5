"""A commit runs in a thread of its own, and all or nothing of it is in the warehouse."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import duckdb
import pytest
from factories import Log, click
from warehouse_fixture import Warehouse

from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.committing import Committing
from pipeline.warehouse.load.transaction import Transactions

LOADED = "SELECT next_origin FROM ledger"


class Held(Transactions):
    """Transactions that begin when they may."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self.may_begin = threading.Event()

    def commit(self, batch: LoadBatch) -> LoadBatch:
        assert self.may_begin.wait(60)
        return super().commit(batch)


@pytest.fixture
def held(warehouse: Warehouse) -> Held:
    return Held(warehouse.connection)


@pytest.fixture
def committing(held: Held) -> Iterator[Committing]:
    made = Committing(held)
    yield made
    held.may_begin.set()
    made.close()


@pytest.fixture
def batches(warehouse: Warehouse) -> list[LoadBatch]:
    """Two, of a record each."""
    log = Log(warehouse.rules)
    log.send(click(0))
    log.send(click(1))
    made = [LoadBatch(warehouse.rules) for _ in log.outcomes]
    for batch, outcome in zip(made, log.outcomes, strict=True):
        batch.add(outcome)
    return made


def test_the_caller_goes_on_while_a_batch_is_committed(
    warehouse: Warehouse, committing: Committing, held: Held, batches: list[LoadBatch]
) -> None:
    committing.start(batches[0])
    assert committing.is_running
    held.may_begin.set()
    assert committing.finish() is batches[0]
    assert not committing.is_running
    assert warehouse.rows(LOADED) == [(1,)]


def test_a_refused_batch_is_raised_and_leaves_nothing(
    warehouse: Warehouse, committing: Committing, held: Held, batches: list[LoadBatch]
) -> None:
    held.may_begin.set()
    committing.start(batches[0])
    committing.finish()
    refused = batches[1]
    refused.positions[("outcomes", 0)] = ("outcomes", None, 0, 1)
    committing.start(refused)
    with pytest.raises(duckdb.ConstraintException, match="topic_id"):
        committing.finish()
    assert warehouse.rows(LOADED) == [(1,)]
    assert warehouse.broken() == {}


def test_a_batch_waits_for_the_one_before(
    committing: Committing, held: Held, batches: list[LoadBatch]
) -> None:
    committing.start(batches[0])
    with pytest.raises(RuntimeError, match="was not finished"):
        committing.start(batches[1])
    held.may_begin.set()
    committing.finish()


def test_nothing_is_finished_where_nothing_was_started(committing: Committing) -> None:
    assert committing.finish() is None
    assert not committing.is_running


def test_closing_waits_for_the_commit(
    warehouse: Warehouse, held: Held, batches: list[LoadBatch]
) -> None:
    committing = Committing(held)
    committing.start(batches[0])
    threading.Timer(0.05, held.may_begin.set).start()
    committing.close()
    assert warehouse.rows(LOADED) == [(1,)]
