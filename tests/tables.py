"""Export every table of a database in order, so that two databases can be compared as bytes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from pipeline.config import Settings
from pipeline.replay.local import replay
from pipeline.warehouse.database import connect_published
from pipeline.warehouse.queries import broken

# They depend on the log and not only on the events: on the order and place of records, and on how
# far a loader has let rows go, even if there were none.
OF_THE_LOG_TABLES = {
    "aggregate_rules",
    "retention",
    "ledger",
    "positions",
    "publication",
    "duplicates",
    "dropped_rows",
    "late_devices",
    "migrations",
    "rules",
}
# How far a loader has summed sessions; what users see of it does not depend on that.
SUMS = {"summed_until", "summed_blended", "summed_searches", "unsummed_sessions"}
# Where the rows of `events` are.
PLACES = {"hot_events", "archive_files", "archive_folder"}
OF_THE_LOG_COLUMNS = {
    "partition",
    "offset",
    "is_late",
    "has_late",
    "late_arrivals",
    "is_open",
    "request_id",
}
# They depend on the request that brought an event.
ARRIVAL = {
    "received_at",
    "received_day",
    "minute_arrivals",
    "hour_arrivals",
    "day_arrivals",
    "index",
}


def exported(database: Path, folder: Path, *, leave_out: Collection[str] = ()) -> dict[str, bytes]:
    """CSV of every table that depends only on the events, by name."""
    folder.mkdir(parents=True)
    found = {}
    with duckdb.connect(database, read_only=True) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        views = {
            name
            for (name,) in connection.execute("SELECT view_name FROM duckdb_views()").fetchall()
        }
        # `events` is a table to whoever reads it.
        for name in sorted(set(names) - OF_THE_LOG_TABLES - SUMS - PLACES - views | {"events"}):
            columns = [
                f'"{column[0]}"'
                for column in connection.execute(f"DESCRIBE {name}").fetchall()
                if column[0] not in {*OF_THE_LOG_COLUMNS, *leave_out}
            ]
            file = folder / f"{name}.csv"
            connection.execute(
                f"COPY (SELECT {', '.join(columns)} FROM {name} ORDER BY ALL) TO '{file}'"
            )
            found[name] = file.read_bytes()
    return found


def broken_checks(database: Path) -> list[str]:
    """Names of the failed checks of sql/checks."""
    with connect_published(database) as connection:
        return [name for name, answer in broken(connection).items() if answer.rows]


def assert_those_of_a_quiet_day(settings: Settings, traffic: Path, folder: Path) -> None:
    """The published tables equal those of `traffic` loaded without any disturbance."""
    quiet = folder / "quiet.duckdb"
    replay([str(traffic)], database=quiet, rules=settings.rules)
    assert differing(exported(settings.database, folder / "a"), exported(quiet, folder / "b")) == []
    assert broken_checks(settings.database) == []


def differing(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    """Names of the tables that differ, each with its first different line."""
    assert set(left) == set(right)
    told = []
    for name, one in left.items():
        other = right[name]
        if one != other:
            lines = zip(one.splitlines(), other.splitlines(), strict=False)
            first = next((pair for pair in lines if pair[0] != pair[1]), "one is longer")
            told.append(f"{name}: {first}")
    return told
