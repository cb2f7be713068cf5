"""A home with a past in the archive, as a loader leaves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from archived import archive_days, merge
from beacons import write_traffic
from catalogs import DRESS, HOME_PAGE, give

from pipeline.domain.rules import Rules
from pipeline.replay.local import replay
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.archive.leftovers import Leftovers
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.manifest import archive_files
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

RULES = Rules()


def make_home(home: Path) -> Path:
    """A home whose events are in some files, but for those of the last days; not published."""
    traffic = write_traffic(home / "traffic.ndjson", devices=15)
    replay([str(traffic)], database=home / "live.duckdb", rules=RULES)
    traffic.unlink()
    named = {file.name for file in archive_days(home / "live.duckdb", RULES, but=3)}
    for merged in files_in(home / "archive") - named:
        (home / "archive" / merged).unlink()
    with connect_live(home / "live.duckdb", RULES) as connection:
        give(connection, home / "live.duckdb", DRESS, HOME_PAGE, store="shop")
    (home / "stores.toml").write_text("[stores.shop]\ntokens_sha256 = []\n")
    return home


def publish(home: Path, change: Callable[[Any], object] = lambda _: None) -> None:
    """Publish the live database, after a change of it."""
    live = home / "live.duckdb"
    with connect_live(live, RULES) as connection:
        change(connection)
        SnapshotPublisher(connection, live, home / "analytics.duckdb").publish()


def merge_all(home: Path) -> None:
    """All files become one; the others go once no snapshot names them."""

    def merged(connection: Any) -> None:
        named = archive_files(connection)
        span = Span(min(f.first_day for f in named), max(f.last_day for f in named))
        leftovers = Leftovers(connection, home / "archive", home / "analytics.duckdb")
        merge(connection, home / "archive", span)
        leftovers.add(file.name for file in named)
        SnapshotPublisher(connection, home / "live.duckdb", home / "analytics.duckdb").publish()
        leftovers.remove()

    publish(home, merged)


def first_hot_day(connection: Any) -> Span:
    """The earliest day that is not in the archive."""
    ((day,),) = connection.execute("SELECT min(day) FROM hot_events").fetchall()
    return Span(day, day)


def files_in(folder: Path) -> set[str]:
    """The names of all files below `folder`."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
