"""What `pipeline erase --before` leaves: nothing of before the day, in no file (decision 0040)."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from archived import FIRST, day, freeze
from factories import DAY, MINUTE, Log, cart, click, make_event, purchase
from searched import places_of
from warehouse_fixture import RULES, Warehouse

from pipeline.topics import Rejected
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.erasing import before
from pipeline.warehouse.erasing.before import Home, erase_before
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

DAYS = DAY // MINUTE
GONE, KEPT = "planted-4b1d", "stays-77aa"
CUT = FIRST + timedelta(days=3)


def visit(log: Log, number: int, name: str) -> None:
    at = number * DAYS
    said = {"session_id": f"of-{name}-{number}", "customer_id": name}
    log.send(
        click(at, "token", **said),
        cart(at + 1, **said),
        purchase(at + 2, order_id=f"order-{name}-{number}", **said),
        device=f"d:{name}",
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Eight days, some of them in files, one of which reaches across the cut; two snapshots."""
    live = tmp_path / "live.duckdb"
    warehouse, log = Warehouse(live), Log(RULES)
    for number in range(8):
        visit(log, number, GONE if number < 3 else KEPT)
        repeat = make_event(minute=number * DAYS + 5)
        log.send(repeat, device=f"d:{GONE if number < 3 else KEPT}")
        log.send(repeat, device=f"d:{GONE if number < 3 else KEPT}")
        rejected = {"store_id": "store", "index": 0, "reason": "r", "detail": "d"}
        said = GONE if number < 3 else KEPT
        at = 1_764_000_000_000 + number * DAY
        warehouse.load_rejected([Rejected(received_at=at, raw=said, **rejected)])
        warehouse.load(log.outcomes[-3:])
    folder = archive_folder(live)
    freeze(warehouse.connection, folder, day(0))
    freeze(warehouse.connection, folder, Span(day(2).first, day(3).last))
    freeze(warehouse.connection, folder, day(5))
    snapshot = tmp_path / "analytics.duckdb"
    SnapshotPublisher(warehouse.connection, live, snapshot).publish()
    shutil.copy(snapshot, f"{snapshot}.1")
    warehouse.connection.close()
    return Home(live, snapshot, RULES, 1, Resources())


def look(home: Home) -> dict[str, Any]:
    warehouse = Warehouse(home.live, keep=True)
    assert warehouse.broken() == {}
    folder = archive_folder(home.live)
    named = {folder / file.name for file in archive_files(warehouse.connection)}
    assert named == {path for path in folder.rglob("*") if path.is_file()}
    found = {
        name: warehouse.rows(f"SELECT count(*) FROM {name}")[0][0]
        for name in ("events", "duplicates", "rejected_events", "sessions", "order_lines")
    }
    warehouse.connection.close()
    return found


def test_nothing_of_before_is_left_in_any_file(home: Home) -> None:
    assert len(places_of(GONE, home.live.parent)) > 10
    receipt = json.loads(erase_before(home, CUT))
    assert places_of(GONE, home.live.parent) == []
    # Rows that are made of events go a lookback further, and their orders with them.
    assert look(home) == {
        "events": 20,
        "duplicates": 5,
        "rejected_events": 5,
        "sessions": 6,
        "order_lines": 3,
    }
    assert (receipt["before"], receipt["events"]) == (str(CUT), 12)
    assert (receipt["duplicates"], receipt["rejected"]) == (3, 3)
    # Again it changes nothing, and is another receipt.
    again = json.loads(erase_before(home, CUT))
    assert (again["events"], again["duplicates"], again["rejected"]) == (0, 0, 0)


def test_what_comes_again_of_before_counts_nowhere(home: Home) -> None:
    erase_before(home, CUT)
    warehouse = Warehouse(home.live, keep=True)
    log = Log(RULES)
    ((following,),) = warehouse.rows("SELECT next_origin FROM ledger")
    for number in range(following):
        log.send(make_event(minute=8 * DAYS), device=f"d:{number}")
    visit(log, 1, GONE)
    warehouse.load(log.outcomes[following:])
    assert warehouse.rows("SELECT expired FROM ledger") == [(3,)]
    warehouse.connection.close()
    assert look(home)["events"] == 20


def test_what_the_stream_may_still_reach_is_refused(home: Home) -> None:
    latest = FIRST + timedelta(days=5)
    with pytest.raises(DatabaseError, match=f"erase before {latest}, or by"):
        erase_before(home, latest + timedelta(days=1))
    with pytest.raises(DatabaseError, match="1 of 2 partitions had no event yet"):
        erase_before(Home(home.live, home.snapshot, RULES, 2, Resources()), CUT)
    assert look(home)["events"] == 32
    erase_before(home, latest)
    assert look(home)["events"] == 12


@pytest.mark.parametrize("step", ["derived.expire", "_rewrite", "compact"])
def test_what_a_death_leaves_is_not_called_finished(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"{before.__name__}.{step}", dies)
        with pytest.raises(KeyboardInterrupt):
            erase_before(home, CUT)
    warehouse = Warehouse(home.live, keep=True)
    assert warehouse.broken() == {}
    finishing = Finishing(home.live)
    finishing.look(warehouse.connection)
    # A loader finishes what no row is left of, and nothing else.
    assert finishing.is_needed == (step == "compact")
    warehouse.connection.close()
    assert json.loads(erase_before(home, CUT))["events"] == 12
    assert places_of(GONE, home.live.parent) == []
    assert look(home)["events"] == 20
