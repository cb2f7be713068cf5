"""A client that opens a snapshot for writing does not affect other readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from careless import client
from factories import click
from kafka_outcomes import OutcomeTopics, loading, positions
from processes import wait_for
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.warehouse.database import DatabaseError, connect_published
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

COUNT = "SELECT count(*) FROM positions"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path / "live.duckdb")
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def topics(settings: Settings) -> OutcomeTopics:
    return OutcomeTopics(settings)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return tmp_path / "analytics.duckdb"


@pytest.fixture
def publisher(warehouse: Warehouse, tmp_path: Path, snapshot: Path) -> SnapshotPublisher:
    return SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot)


def position(number: int) -> str:
    return f"INSERT INTO positions VALUES ('topic', 'id', {number}, 7)"


def test_a_snapshot_is_read_only(publisher: SnapshotPublisher, snapshot: Path) -> None:
    publisher.publish()
    assert snapshot.stat().st_mode & 0o777 == 0o400


def test_no_write_to_a_snapshot_is_committed(publisher: SnapshotPublisher, snapshot: Path) -> None:
    publisher.publish()
    before = snapshot.read_bytes()
    try:
        connection = duckdb.connect(snapshot)
    except duckdb.IOException:
        pass  # anyone but root
    else:
        with connection, pytest.raises(duckdb.Error):
            connection.execute(position(1))
    assert snapshot.read_bytes() == before


def test_what_a_client_wrote_is_not_replayed_onto_the_next_snapshot(
    warehouse: Warehouse, publisher: SnapshotPublisher, snapshot: Path
) -> None:
    """The client's log exists before this loader's first snapshot, as older versions allowed."""
    with Warehouse(snapshot).connection:
        pass
    log = snapshot.with_name("analytics.duckdb.wal")
    with client(snapshot, *(position(number) for number in range(5))) as said:
        assert said == "done\n"
        assert log.stat().st_size > 0
        warehouse.connection.execute(position(1))
        publisher.publish()
        with connect_published(snapshot) as reader:
            assert reader.execute(COUNT).fetchall() == [(1,)]
    with connect_published(snapshot) as reader:
        assert reader.execute(COUNT).fetchall() == [(1,)]


def test_an_idle_loader_frees_readers_blocked_by_a_client(topics: OutcomeTopics) -> None:
    topics.write([topics.logs[0].send(click())])
    with loading(topics.settings):
        path = topics.settings.database
        wait_for(lambda: positions(topics.settings) == topics.ends())
        path.chmod(0o600)  # for a client that is not root
        with client(path):
            # The client holds that file and no record arrives, yet readers get a new file.
            wait_for(lambda: positions(topics.settings) == topics.ends())


def test_a_client_that_holds_a_snapshot_blocks_no_reader_of_the_next_one(
    warehouse: Warehouse, publisher: SnapshotPublisher, snapshot: Path
) -> None:
    publisher.publish()
    snapshot.chmod(0o644)  # for a client that is not root
    with client(snapshot, position(1)) as said:
        assert said.startswith("refused: ")
        with pytest.raises(DatabaseError, match=r"^\S+ cannot be read: is it open for writing\?"):
            connect_published(snapshot)
        warehouse.connection.execute(position(2))
        publisher.publish()
        with connect_published(snapshot) as reader:
            assert reader.execute(COUNT).fetchall() == [(1,)]
    publisher.publish()
    with connect_published(snapshot) as reader:
        assert reader.execute(COUNT).fetchall() == [(1,)]


def test_a_new_loader_is_not_blocked_either(
    warehouse: Warehouse, publisher: SnapshotPublisher, snapshot: Path, tmp_path: Path
) -> None:
    publisher.publish()
    snapshot.chmod(0o644)
    with client(snapshot):
        warehouse.connection.execute(position(1))
        SnapshotPublisher(warehouse.connection, tmp_path / "live.duckdb", snapshot).publish()
        with connect_published(snapshot) as reader:
            assert reader.execute(COUNT).fetchall() == [(1,)]
