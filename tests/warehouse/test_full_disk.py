"""A full disk at each step: an error that says so, nothing lost, and on when there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from archived import contents, day, freeze
from factories import DAY, MINUTE, Log, make_event
from kafka_outcomes import OutcomeTopics, run_loader
from logged import logged
from no_room import SAID, no_room
from processes import wait_for
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.archive.freezing import Freezer, Span
from pipeline.warehouse.database import DatabaseError, connect_published
from pipeline.warehouse.manifest import ArchiveError, archive_files, archive_folder
from pipeline.warehouse.rebuild.adopt import adopt, plan
from pipeline.warehouse.rebuild.rebuild import rebuild
from pipeline.warehouse.snapshots import publish
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

OTHER = Rules(
    gap=timedelta(minutes=5), lookback=RULES.lookback, lateness=RULES.lateness, most_touches=3
)


@dataclass
class House:
    """Four days of events in a live file with a snapshot."""

    path: Path

    def __post_init__(self) -> None:
        self.log, self.snapshot = Log(RULES), self.path.with_name("analytics.duckdb")
        self.open(keep=False)
        self.warehouse.load([outcome for number in range(4) for outcome in self.sent(number)])
        self.publisher.publish()

    def open(self, *, keep: bool = True) -> None:
        self.warehouse = Warehouse(self.path, RULES, keep=keep)
        self.connection = self.warehouse.connection
        self.publisher = SnapshotPublisher(self.connection, self.path, self.snapshot)

    def sent(self, number: int) -> list[Outcome]:
        """The outcomes of a day, and more bytes than one write takes."""
        begin = number * DAY // MINUTE
        return [
            self.log.send(
                *(make_event("search", begin + m + n / 100, query=f"{m} {n}") for n in range(30)),
                device=f"d:{m}",
            )
            for m in range(20)
        ]

    def restart(self) -> None:
        self.connection.close()
        self.open()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "live.duckdb")
    yield made
    made.connection.close()


def assert_goes_on(house: House, before: object) -> None:
    """Nothing is lost, and the next transaction and snapshot are whole."""
    assert contents(house.connection) == before
    house.warehouse.load(house.sent(4))
    house.publisher.publish()
    assert house.warehouse.broken() == {}
    with connect_published(house.snapshot) as reader:
        assert contents(reader) == contents(house.connection) != before


def test_a_commit_fails_whole(house: House) -> None:
    before, more = contents(house.connection), house.sent(5)
    with no_room(), pytest.raises(duckdb.Error, match=SAID):
        house.warehouse.load(more)
    assert contents(house.connection) == before
    house.restart()
    assert contents(house.connection) == before
    house.warehouse.load(more)
    assert_goes_on(house, contents(house.connection))


def test_a_row_before_a_checkpoint_keeps_the_old_snapshot(house: House) -> None:
    before, published = contents(house.connection), house.snapshot.read_bytes()
    with no_room(), pytest.raises(publish.PublishError, match=SAID):
        house.publisher.start()
    house.publisher.cancel()
    assert house.snapshot.read_bytes() == published
    assert_goes_on(house, before)


def test_a_checkpoint_ends_the_loader_and_keeps_the_old_snapshot(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would fail first: it writes a row.
    monkeypatch.setattr(publish, "sign", lambda _connection: None)
    house.warehouse.load(house.sent(5))
    before, published = contents(house.connection), house.snapshot.read_bytes()
    with no_room(), pytest.raises(duckdb.FatalException, match=SAID):
        house.publisher.start()
    house.publisher.cancel()
    assert house.snapshot.read_bytes() == published
    house.restart()
    assert_goes_on(house, before)


def test_the_archiver_says_so_once_and_writes_when_there_is_room(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    before, folder = contents(house.connection), archive_folder(house.path)
    archiver = Archiver(
        house.connection,
        folder,
        house.snapshot,
        after=timedelta(0),
        fewest=1,
        interval=timedelta(0),
    )
    with no_room():
        wait_for(lambda: bool(logged(caplog, "pipeline.warehouse")), each=archiver.step)
        for _ in range(20):
            archiver.step()
            wait_for(lambda: not archiver.is_busy or archiver.step() or not archiver.is_busy)
    (line,) = logged(caplog, "pipeline.warehouse")
    assert line.startswith(f"nothing moves into the archive: {folder}")
    assert line.endswith(f" cannot be written: {SAID}")
    assert not list(folder.rglob("*.*"))
    wait_for(lambda: len(archive_files(house.connection)) > 1, each=archiver.step)
    archiver.close()
    assert_goes_on(house, before)


def test_a_merge_leaves_the_files_that_it_would_replace(house: House) -> None:
    before, folder = contents(house.connection), archive_folder(house.path)
    files = [freeze(house.connection, folder, day(number)) for number in range(3)]
    with no_room(), pytest.raises(ArchiveError, match=SAID):
        Freezer(folder).merge(house.connection, Span(day(0).first, day(2).last))
    assert {path.name for path in folder.rglob("*.*")} == {Path(f.name).name for f in files}
    assert_goes_on(house, before)


REMAKES: dict[str, Callable[[House], object]] = {
    "rebuild": lambda house: rebuild(house.path, RULES),
    "plan": lambda house: plan(
        house.snapshot, house.path, OTHER, zones={}, progress=lambda *_: None
    ),
    "adopt": lambda house: adopt(
        house.path, OTHER, zones={}, stream=lambda *_: list, progress=lambda *_: None
    ),
}


@pytest.mark.parametrize("room", [0, 100_000, 900_000])
@pytest.mark.parametrize("remake", REMAKES.values(), ids=REMAKES)
def test_what_is_made_beside_the_live_file_goes_and_the_old_one_stays(
    house: House, remake: Callable[[House], object], room: int
) -> None:
    before = contents(house.connection)
    house.connection.close()
    with no_room(room), pytest.raises((duckdb.Error, DatabaseError), match=SAID):
        remake(house)
    assert not list(house.path.parent.glob("*.rebuilt*"))
    house.open()
    assert_goes_on(house, before)


def test_a_loader_that_finds_no_room_ends_and_the_next_one_goes_on(settings: Settings) -> None:
    topics = OutcomeTopics(settings)
    topics.write([topics.logs[0].send(make_event("search", minute)) for minute in range(3)])
    topics.load()
    topics.write([topics.logs[0].send(make_event("search", minute)) for minute in range(3, 6)])
    with no_room(), pytest.raises((duckdb.Error, OSError), match=SAID):
        run_loader(settings)
    topics.load()
