"""A loader archives while it loads and publishes; every snapshot is whole."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from factories import DAY, MINUTE, click
from kafka_outcomes import OutcomeTopics, loading, positions, rows, run_loader
from processes import wait_for
from tables import broken_checks

from pipeline.config import Settings
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import DatabaseError, connect_published
from pipeline.warehouse.manifest import archive_folder

DAYS = DAY // MINUTE


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archiver that looks all the time and for which three rows are worth a file."""
    defaults = Archiver.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "fewest", 3)
    monkeypatch.setitem(defaults, "interval", timedelta(milliseconds=50))
    monkeypatch.setitem(defaults, "most_files", 8)


def of_days(topics: OutcomeTopics, *days: int, device: str = "d:device") -> int:
    """Write three events of a device in each partition on each of the days; how many they are."""
    made = [
        log.send(
            *(click(day * DAYS + minute) for minute in range(3)), device=f"{device}-{partition}"
        )
        for day in days
        for partition, log in enumerate(topics.logs)
    ]
    topics.write(made)
    return 3 * len(made)


@pytest.mark.usefixtures("_hasty")
def test_a_loader_archives_while_it_loads_and_publishes(settings: Settings) -> None:
    settings = settings.model_copy(update={"archive_after": timedelta(days=1)})
    topics = OutcomeTopics(settings)
    folder = archive_folder(settings.database)
    count = 0

    def holds_all(hot: int) -> bool:
        """The snapshot has all that was written, and so many days of it in the database."""
        if positions(settings) != topics.ends():
            return False
        # Whatever moves meanwhile: each is one transaction's state.
        with connect_published(settings.database) as reader:
            assert reader.execute("SELECT count(*) FROM events").fetchall() == [(count,)]
            found = "SELECT count(DISTINCT day) FROM hot_events"
            return bool(reader.execute(found).fetchall()[0][0] <= hot)

    with loading(settings):
        for first in range(0, 12, 3):
            count += of_days(topics, *range(first, first + 3))
            wait_for(lambda: holds_all(3))
        # Late, of days that are in files.
        count += of_days(topics, 2, 5, 8, device="d:late")
        wait_for(lambda: holds_all(3))
    assert broken_checks(settings.database) == []
    ((files, merged),) = rows(
        settings, "SELECT count(*), count(*) FILTER (first_day < last_day) FROM archive_files"
    )
    assert 0 < files <= 8
    assert merged > 0
    topics.load()  # once more, from where it stopped
    named = {folder / name for (name,) in rows(settings, "SELECT name FROM archive_files")}
    assert {path for path in folder.rglob("*") if path.is_file()} == named

    shutil.move(folder, folder.with_name("elsewhere"))
    with pytest.raises(DatabaseError, match="archived events are missing"):
        run_loader(settings)
    shutil.move(folder.with_name("elsewhere"), folder)
    topics.load()
