"""Once an erasure is finished no file holds anything of it, whatever was killed meanwhile."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest
from archived import day, freeze
from each_kill import CALLS, STATEMENTS, assert_whole_after
from erasing_kills import DEVICE, OUTCOME
from factories import DAY, MINUTE, MORNING, Log, cart, click, make_event, purchase
from kafka_outcomes import OutcomeTopics, loading, positions, rows
from logged import logged
from processes import wait_for
from searched import places_of
from tables import broken_checks
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.topics import Rejected
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import connect_live, connect_published
from pipeline.warehouse.erasing import finishing
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.erasing.erasures import ErasureKey
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher

DAYS = DAY // MINUTE


def visits(log: Log, device: str, *days: int) -> None:
    """A visit on each day, which says who it is wherever it can."""
    said = {"session_id": f"of-{device}", "device_id": device, "customer_id": f"of-{device}"}
    for number in days:
        at = number * DAYS
        log.send(
            click(at, f"token-{device}", **said),
            cart(at + 1, query=f"query-{device}", **said),
            purchase(at + 2, order_id=f"order-{device}", **said),
            make_event(minute=at + 3, marketing_source=device, **said),
            device=f"d:{device}",
        )


def rejection(device: str) -> Rejected:
    raw = json.dumps({"device_id": device})
    return Rejected(store_id="store", received_at=MORNING, index=0, reason="r", detail="d", raw=raw)


def kept(settings: Settings) -> list[Path]:
    return sorted(settings.home.glob("analytics.duckdb.[0-9]"))


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows are worth a file, at once; erasures are finished at once."""
    defaults = Archiver.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "fewest", 3)
    monkeypatch.setitem(defaults, "interval", timedelta(milliseconds=50))
    monkeypatch.setitem(Finishing.__init__.__kwdefaults__, "pause", 0.1)


@pytest.mark.usefixtures("_hasty")
def test_e1_a_running_loader_leaves_nothing_in_any_file(settings: Settings) -> None:
    settings = settings.model_copy(update={"archive_after": timedelta(days=1)})
    topics = OutcomeTopics(settings)
    log = topics.logs[0]
    key = ErasureKey.made(settings.live_database)
    with loading(settings):
        for number in range(5):
            visits(log, DEVICE, number)
            visits(log, "other", number)
        repeat = make_event(minute=4 * DAYS + 9, device_id=DEVICE)
        log.send(repeat, device=f"d:{DEVICE}")
        log.send(repeat, device=f"d:{DEVICE}")
        topics.write(log.outcomes)
        topics.write_rejected(rejection(DEVICE), rejection("other"))
        wait_for(lambda: positions(settings) == topics.ends())
        wait_for(lambda: rows(settings, "SELECT count(*) > 1 FROM archive_files") == [(True,)])
        # Snapshots of earlier days.
        for number in (1, 2):
            shutil.copy(settings.database, f"{settings.database}.{number}")
    assert len(places_of(DEVICE, settings.home)) > 15
    others = "SELECT count(*) FROM events WHERE device_key = 'd:other'"
    before = rows(settings, others)
    with loading(settings):
        outcome = log.erase(9 * DAYS, device=f"d:{DEVICE}")
        topics.write([outcome])
        hashed = key.hash_of("store", f"d:{DEVICE}")
        receipt = settings.home / "erasures" / f"{hashed}-0-{outcome.origin.offset}.json"
        wait_for(receipt.exists)
        # It goes on, with the file that took the place of the old one.
        after = log.send(make_event(minute=6 * DAYS), device="d:other")
        topics.write([after])
        wait_for(lambda: positions(settings) == topics.ends())
        wait_for(
            lambda: rows(settings, "SELECT finished_at IS NOT NULL FROM erasures") == [(True,)]
        )
    assert places_of(DEVICE, settings.home) == []
    assert broken_checks(settings.database) == []
    assert rows(settings, others) == [(before[0][0] + 1,)]
    found = json.loads(receipt.read_text())
    assert (found["events"], found["duplicates"], found["rejected"]) == (21, 1, 1)
    assert found["device_hash"] == hashed
    assert receipt.stat().st_mode & 0o077 == 0
    # The newest was kept since.
    assert [path.name for path in kept(settings)] in ([], ["analytics.duckdb.1"])
    folder = archive_folder(settings.database)
    named = {folder / name for (name,) in rows(settings, "SELECT name FROM archive_files")}
    assert {path for path in folder.rglob("*") if path.is_file()} == named
    assert named


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed warehouse with the device in every table and file, and its erasure still to come."""
    folder = tmp_path_factory.mktemp("killed") / "home"
    folder.mkdir()
    live = folder / "live.duckdb"
    warehouse = Warehouse(live)
    log = Log(RULES)
    visits(log, DEVICE, 0, 1, 2)
    visits(log, "other", 0, 1, 2)
    warehouse.load(log.outcomes)
    warehouse.load_rejected([rejection(DEVICE)])
    for number in range(2):
        freeze(warehouse.connection, archive_folder(live), day(number))
    snapshot = live.with_name("analytics.duckdb")
    SnapshotPublisher(warehouse.connection, live, snapshot).publish()
    warehouse.connection.close()
    shutil.copy(snapshot, f"{snapshot}.1")
    (folder / OUTCOME).write_bytes(msgspec.json.encode(log.erase(9 * DAYS, device=f"d:{DEVICE}")))
    assert len(places_of(DEVICE, folder)) > 15
    return folder


def test_e1_whatever_kills_it_the_next_start_finishes_it(home: Path, every: int) -> None:
    # It has some eight hundred steps, and each look takes five seconds.
    assert_whole_after("erasing_kills.py", home, every=40 * every - 39, kills=CALLS | STATEMENTS)


def test_a_compacted_database_holds_the_same_rows_in_the_same_order(
    home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    live = tmp_path / "home" / "live.duckdb"

    def contents() -> dict[str, list[object]]:
        with duckdb.connect(live) as connection:
            tables = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
            ).fetchall()
            return {name: connection.execute(f"FROM {name}").fetchall() for (name,) in tables}

    with connect_live(live, RULES) as connection:
        connection.execute("UPDATE rules SET former = ['left']")
    before = contents()
    compact(live, RULES)
    assert contents() == before
    assert not live.with_name("live.duckdb.wal").exists()


def test_e1_what_cannot_be_done_now_is_logged_once_and_done_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    said = Finishing(Path(), pause=10, clock=lambda: now[0])
    said.is_needed = True

    def full() -> None:
        now[0] += 3
        raise PublishError("the disk is full")

    assert said.is_due()
    with caplog.at_level(logging.ERROR):
        assert not said.attempt(full)
        assert not said.is_due()
        now[0] += 29
        assert not said.is_due()
        now[0] += 1
        assert said.is_due()
        assert not said.attempt(full)
    assert logged(caplog, "pipeline.warehouse") == ["erasures are not finished: the disk is full"]
    now[0] += 1000
    assert said.attempt(lambda: None)
    now[0] += 9
    assert not said.is_due()
    now[0] += 1
    assert said.is_due()


def test_e1_it_is_not_finished_while_old_files_are_left(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    live = tmp_path / "home" / "live.duckdb"
    snapshot = live.with_name("analytics.duckdb")
    with connect_live(live, RULES) as connection:
        archiver = Archiver(connection, archive_folder(live), snapshot, after=timedelta(days=1))
        monkeypatch.setattr(archiver, "remove_leftovers", lambda: False)
        before = snapshot.stat().st_ino
        said = finishing.Finishing(live)
        with pytest.raises(OSError, match="could not be removed"):
            said.finish(connection, SnapshotPublisher(connection, live, snapshot), archiver)
        archiver.close()
    assert snapshot.stat().st_ino != before
    with connect_published(snapshot):
        assert not list(live.with_name("erasures").glob("*"))
