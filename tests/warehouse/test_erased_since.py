"""A backup that is older than an erasure does not bring it back (decision 0040)."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from archived import FIRST, day, freeze
from backup_kills import back_up_home, silent
from factories import DAY, MINUTE, MORNING, Log, cart, click, make_event, purchase
from searched import places_of
from tables import broken_checks
from warehouse_fixture import RULES, Warehouse

from pipeline.topics import Rejected
from pipeline.warehouse.backup.contents import BackupError
from pipeline.warehouse.backup.erased_since import erase_again, keep, kept_beside
from pipeline.warehouse.backup.restoring import restore_home
from pipeline.warehouse.erasing.before import Home, erase_before, finish
from pipeline.warehouse.erasing.erasures import key_file
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

DAYS = DAY // MINUTE
ANN, DEVICE = "ann-9c21", "device-17ee"


def home_in(folder: Path) -> Home:
    return Home(folder / "live.duckdb", folder / "analytics.duckdb", RULES, 1, Resources())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Log]:
    """A home before its erasures, a backup of it, and the home after them."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "home").mkdir()
    home, log = home_in(folder / "home"), Log(RULES)
    warehouse = Warehouse(home.live)
    for number in range(2):
        at = number * DAYS
        log.send(click(at), purchase(at + 1, order_id="A"), device=f"d:{DEVICE}")
        log.send(cart(at, customer_id=ANN), make_event(minute=at + 1), device="d:shared")
        log.send(make_event(minute=at), device="d:other")
    warehouse.load(log.outcomes)
    raws = [json.dumps({"device_id": DEVICE}), json.dumps({"customer_id": ANN}), "{}"]
    rejected = {"store_id": "store", "received_at": MORNING, "reason": "r", "detail": "d"}
    warehouse.load_rejected(Rejected(index=n, raw=raw, **rejected) for n, raw in enumerate(raws))
    freeze(warehouse.connection, archive_folder(home.live), day(0))
    SnapshotPublisher(warehouse.connection, home.live, home.snapshot).publish()
    backup = back_up_home(folder / "home", folder / "backups")
    keep(home.live, folder / "backups")
    # Between the backup and the erasure: the restored home will read it from Kafka.
    log.send(click(3 * DAYS), make_event(minute=3 * DAYS + 1), device=f"d:{DEVICE}")
    log.erase(4 * DAYS, device=f"d:{DEVICE}")
    log.erase(4 * DAYS, device="d:shared", customer=ANN)
    warehouse.load(log.outcomes[6:])
    warehouse.connection.close()
    finish(home)
    keep(home.live, folder / "backups")
    return backup, log


def restored(backup: Path, folder: Path) -> Home:
    home = home_in(folder)
    kept = kept_beside(backup)
    assert kept is not None
    restore_home(
        backup,
        home.live,
        others={},
        progress=silent,
        last=lambda: erased.extend(erase_again(home, kept)),
    )
    return home


erased: list[object] = []


def test_what_was_erased_since_is_in_no_file_of_the_restored_home(
    told: tuple[Path, Log], tmp_path: Path
) -> None:
    backup, log = told
    assert len(places_of(DEVICE, backup)) > 3
    home = restored(backup, tmp_path / "new")
    assert places_of(DEVICE, tmp_path / "new") == places_of(ANN, tmp_path / "new") == []
    assert broken_checks(home.snapshot) == []
    # Kafka still has what came between the backup and the erasure.
    warehouse = Warehouse(home.live, keep=True)
    assert warehouse.rows("SELECT count(*) FROM events") == [(4,)]
    for outcome in log.outcomes[6:]:
        warehouse.load([outcome])
        assert warehouse.broken() == {}
        assert warehouse.come_back() == []
    again = log.send(click(2), device=f"d:{DEVICE}")
    warehouse.load([again])
    assert warehouse.rows("SELECT count(*) FROM events WHERE device_key <> 'd:other'") == [(2,)]
    warehouse.connection.close()
    assert places_of(ANN, tmp_path / "new") == []


def test_it_is_erased_again_after_a_death(told: tuple[Path, Log], tmp_path: Path) -> None:
    backup, _ = told
    home = home_in(tmp_path / "new")

    def dies() -> None:
        kept = kept_beside(backup)
        assert kept is not None
        erase_again(home, kept)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_home(backup, home.live, others={}, progress=silent, last=dies)
    restored(backup, tmp_path / "new")
    assert places_of(DEVICE, tmp_path / "new") == places_of(ANN, tmp_path / "new") == []
    assert broken_checks(home.snapshot) == []


def test_receipts_of_another_key_are_refused(told: tuple[Path, Log], tmp_path: Path) -> None:
    backup, _ = told
    kept = shutil.copytree(backup.parent / "erasures", tmp_path / "kept")
    secret = key_file(kept / "live.duckdb")
    secret.chmod(0o600)
    secret.write_bytes(bytes(32))
    home = restored(backup, tmp_path / "new")
    with pytest.raises(BackupError, match="not the key of the backup"):
        erase_again(home, kept)


def test_all_before_a_date_is_erased_again_or_named(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    home, log = home_in(tmp_path / "home"), Log(RULES)
    warehouse = Warehouse(home.live)
    backups = []
    for number in range(8):
        log.send(make_event(minute=number * DAYS), device=f"d:{DEVICE if number < 2 else 'other'}")
        warehouse.load(log.outcomes[-1:])
        if number in (2, 7):
            SnapshotPublisher(warehouse.connection, home.live, home.snapshot).publish()
            backups.append(back_up_home(tmp_path / "home", tmp_path / "backups"))
    warehouse.connection.close()
    cut = FIRST + timedelta(days=2)
    erase_before(home, cut)
    keep(home.live, tmp_path / "backups")
    erased.clear()
    restored(backups[1], tmp_path / "whole")
    assert erased == []
    assert places_of(DEVICE, tmp_path / "whole") == []
    # The earlier one has not seen the events without which the day may still change.
    restored(backups[0], tmp_path / "early")
    assert erased == [cut]
