"""What moves into the archive, and when: each file once, and nothing is left lying about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from archived import FIRST, contents, day
from factories import DAY, HOUR, MINUTE, Log, click, make_event
from logged import logged
from processes import wait_for
from warehouse_fixture import RULES, Warehouse

from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

DAYS = DAY // MINUTE
FEWEST = 10


class House:
    """A warehouse with an archiver whose minutes pass when a test says so."""

    def __init__(self, path: Path, *, most_files: int = 500) -> None:
        self.path = path
        self.folder = archive_folder(path)
        self.snapshot = path.with_name("analytics.duckdb")
        self.warehouse = Warehouse(path)
        self.connection = self.warehouse.connection
        self.log = Log(RULES)
        self.seconds = 0.0
        self.written = 0
        self.archiver = self._archiver(most_files)
        self.publisher = SnapshotPublisher(self.connection, path, self.snapshot, kept=1)

    def close(self) -> None:
        self.archiver.close()
        self.connection.close()

    def restart(self, *, most_files: int = 500) -> None:
        """Another archiver takes over, as when the loader is started again."""
        self.archiver.close()
        self.archiver = self._archiver(most_files)

    def _archiver(self, most_files: int) -> Archiver:
        return Archiver(
            self.connection,
            self.folder,
            self.snapshot,
            after=timedelta(days=2),
            fewest=FEWEST,
            most_files=most_files,
            clock=lambda: self.seconds,
        )

    def load(self, *days: int, events: int = 1, device: str = "d:device") -> None:
        """Events of the days so many after the first, a minute apart, in one transaction."""
        self.warehouse.load(
            self.log.send(*(click(day * DAYS + minute) for minute in range(events)), device=device)
            for day in days
        )

    def minutes(self, count: int = 1) -> None:
        """So many looks pass, each with all that it does."""
        for _ in range(count):
            self.seconds += 60
            self.written += self.archiver.step()
            while self.archiver.is_busy:
                self.written += self.archiver.step()

    def spans(self) -> list[Span]:
        return sorted(Span(f.first_day, f.last_day) for f in archive_files(self.connection))

    def on_disk(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found}

    def named(self) -> set[str]:
        return {file.name for file in archive_files(self.connection)}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "live.duckdb")
    yield made
    made.close()


def test_a_day_moves_when_it_ended_long_enough_ago_in_the_last_zone(house: House) -> None:
    house.load(0, events=FEWEST)
    # Two days after its end at UTC-12 it is noon of the third day after it; minute 0 is 16:00.
    noon = 3 * DAYS - 4 * HOUR // MINUTE
    house.warehouse.load([house.log.send(make_event(minute=noon - 1))])
    house.minutes(3)
    assert house.spans() == []
    house.warehouse.load([house.log.send(make_event(minute=noon))])
    house.minutes()
    assert house.spans() == []  # seen once, it may still grow
    house.minutes()
    assert house.spans() == [day(0)]
    assert house.warehouse.rows("SELECT DISTINCT day FROM hot_events") == [(day(3).first,)]


def test_a_day_that_grows_waits(house: House) -> None:
    house.load(9)
    for minute in range(5):
        house.load(0, events=FEWEST, device=f"d:{minute}")
        house.minutes()
        assert house.spans() == []
    house.minutes()
    assert [file.events for file in archive_files(house.connection)] == [5 * FEWEST]


def test_a_trickle_holds_no_large_day_back(house: House) -> None:
    house.load(9)
    house.load(0, events=200)
    for minute in range(3):
        house.load(0, device=f"d:{minute}")
        house.minutes()
    assert [file.events for file in archive_files(house.connection)] == [202]
    before = contents(house.connection)
    house.minutes(3)
    assert house.spans() == [day(0)]  # the one row that came later is not worth a file
    assert contents(house.connection) == before


def test_small_days_move_together_when_their_month_has_settled(house: House) -> None:
    house.load(0, events=FEWEST - 1)
    house.load(1, events=FEWEST - 1)
    house.load(2, events=FEWEST)
    house.load(8)  # 2 December: November has not settled
    house.minutes(2)
    assert house.spans() == [day(2)]
    house.load(9)
    house.minutes(2)
    assert house.spans() == [day(0).month, day(2)]
    assert not house.warehouse.broken()


def test_a_month_with_less_than_a_file_s_worth_stays_hot(house: House) -> None:
    house.load(0, events=FEWEST - 1)
    house.load(60)
    house.minutes(3)
    assert house.spans() == []


def test_late_events_of_an_archived_day_are_one_more_file(house: House) -> None:
    house.load(0, events=FEWEST)
    house.load(9)
    house.minutes(2)
    house.load(0, events=FEWEST, device="d:late")
    before = contents(house.connection)
    house.minutes(2)
    assert house.spans() == [day(0), day(0)]
    assert contents(house.connection) == before
    assert not house.warehouse.broken()


def test_a_backfill_writes_each_day_once(house: House) -> None:
    """A few days a minute."""
    days = range(100)
    for number in days[::5]:
        house.load(*days[number : number + 5], events=FEWEST)
        house.minutes()
    house.load(110)
    house.minutes(2)
    assert house.spans() == [day(number) for number in days]
    assert house.written == len(days)
    assert len(house.on_disk()) == len(days)
    assert house.warehouse.rows("SELECT count(*) FROM events") == [(len(days) * FEWEST + 1,)]


def test_the_oldest_months_become_one_file_when_there_are_too_many(tmp_path: Path) -> None:
    house = House(tmp_path / "live.duckdb", most_files=20)
    house.load(*range(45), events=FEWEST)
    house.load(50)
    before = contents(house.connection)
    house.minutes(2)
    assert len(house.spans()) == 45
    house.minutes()
    # The 7 days of November are not worth it, the 31 of December are.
    rest = [day(number) for number in (*range(7), *range(38, 45))]
    assert house.spans() == sorted([*rest, day(20).month])
    house.minutes()
    assert house.written == 46
    house.restart(most_files=3)
    house.minutes()
    assert house.spans() == [day(0).month, day(20).month, day(40).month]
    assert contents(house.connection) == before
    assert not house.warehouse.broken()
    house.close()


def test_a_merged_file_stays_until_no_snapshot_names_it(tmp_path: Path) -> None:
    house = House(tmp_path / "live.duckdb")
    house.load(0, 1, events=FEWEST)
    house.load(60)
    house.minutes(2)
    days = house.named()
    house.publisher.publish()
    house.restart(most_files=1)
    house.minutes()
    merged = house.named()
    assert house.spans() == [day(0).month]
    house.minutes()
    assert house.on_disk() == days | merged  # the snapshot has not changed
    house.publisher.publish()
    house.minutes()
    assert house.on_disk() == days | merged  # it is kept as yesterday's
    house.snapshot.with_name("analytics.duckdb.1").unlink()
    house.minutes()
    assert house.on_disk() == merged
    assert {path.name for path in house.folder.glob("*/events/*")} == {f"{FIRST:%Y-%m}"}
    house.close()


def test_at_an_end_in_order_no_file_is_left_that_nothing_names(house: House) -> None:
    house.load(0, events=FEWEST)
    house.load(9)
    house.minutes()
    house.seconds += 60
    house.archiver.step()
    wait_for(lambda: any(name.endswith(".parquet") for name in house.on_disk()))
    house.archiver.close()
    assert house.on_disk() == house.named() == set()
    assert house.warehouse.rows("SELECT count(*) FROM hot_events") == [(FEWEST + 1,)]


def test_without_a_snapshot_that_knows_of_it_nothing_is_removed(tmp_path: Path) -> None:
    """The first snapshot may just be copied, and name the files."""
    house = House(tmp_path / "live.duckdb", most_files=1)
    house.load(0, 1, events=FEWEST)
    house.load(60)
    house.minutes(5)
    assert house.spans() == [day(0).month]
    assert len(house.on_disk()) == 3
    house.publisher.publish()
    house.minutes()
    assert house.on_disk() == house.named()
    house.close()


def test_a_start_removes_what_nothing_names_and_leaves_another_database_alone(
    house: House,
) -> None:
    house.load(0, events=FEWEST)
    house.load(9)
    house.minutes(2)
    (file,) = house.named()
    beside = (house.folder / file).parent
    (beside / "killed.new").write_bytes(b"half")
    (beside / "killed.parquet").write_bytes(b"whole")
    other = house.folder / "another" / "events" / "day=2025-11-24"
    other.mkdir(parents=True)
    (other / "x.parquet").write_bytes(b"of a database that was moved away")
    house.restart()
    assert house.on_disk() == {file, "another/events/day=2025-11-24/x.parquet"}


def test_a_disk_that_takes_no_file_is_logged_once_and_tried_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.folder.write_text("no folder")
    house.load(0, events=FEWEST)
    house.load(9)
    before = contents(house.connection)
    house.minutes(4)
    (line,) = logged(caplog, "pipeline.warehouse")
    assert re.fullmatch(r"nothing moves into the archive: \S+: Not a directory", line), line
    assert contents(house.connection) == before
    house.folder.unlink()
    house.minutes(2)
    assert house.spans() == [day(0)]
    assert contents(house.connection) == before


def test_closing_ends_the_writing_and_leaves_no_file(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.load(0, events=FEWEST)
    house.load(9)
    house.minutes()
    house.connection.execute(
        "INSERT INTO hot_events SELECT hot_events.* REPLACE (uuid() AS event_key)"
        " FROM hot_events, range(30000)"
    )
    house.minutes()
    house.seconds += 60
    house.archiver.step()
    wait_for(lambda: any(name.endswith(".new") for name in house.on_disk()))
    house.restart()
    assert house.on_disk() == set()
    assert logged(caplog, "pipeline.warehouse") == []
