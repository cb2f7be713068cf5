"""Erases all that occurred before a day: retention's cut, moved there at once (decision 0040)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from pipeline.domain.rules import Rules
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.erasing.compaction import compact
from pipeline.warehouse.erasing.erasures import ErasureKey
from pipeline.warehouse.erasing.finishing import Finishing
from pipeline.warehouse.erasing.receipts import receipt_file
from pipeline.warehouse.erasing.rewriting import rewritten
from pipeline.warehouse.manifest import archive_files, archive_folder
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.retention import derived, events
from pipeline.warehouse.retention.terms import DAY
from pipeline.warehouse.retention.transaction import run
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

# The record that asked for it: there is none.
NOWHERE = -1
_COPIES = timedelta(hours=26)
_ASKED = """
    INSERT INTO erasures
    BY NAME SELECT
        $device_hash AS device_hash, $key_hash AS key_hash, CAST($day AS TIMESTAMP) AS erased_at,
        $nowhere AS partition, $nowhere AS "offset", $day AS before,
        (SELECT count(*) FROM events WHERE occurred_at < $day) AS events,
        (SELECT count(*) FROM duplicates WHERE received_day < $day) AS duplicates,
        (SELECT count(*) FROM rejected_events WHERE received_day < $day) AS rejected
    WHERE NOT EXISTS (FROM erasures WHERE before = $day AND finished_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A live database that no loader has open, and how its snapshots are published."""

    live: Path
    snapshot: Path
    rules: Rules
    partitions: int
    resources: Resources
    mode: int = 0o400


def erase_before(home: Home, day: date) -> str:
    """Leave nothing of before `day` (UTC) in any file, but for what retention keeps (T11).

    Returns the receipt. What a kill left, the next call or the next loader finishes. Raises
    `DatabaseError` where the stream may still reach what would go.
    """
    key = ErasureKey.made(home.live)
    device_hash = key.hash_of("", f"t:{day}")
    with connect_live(home.live, home.rules, home.resources) as connection:
        refuse_too_late(connection, home, day)
        connection.execute(
            _ASKED,
            {"device_hash": device_hash, "key_hash": key.hash, "day": day, "nowhere": NOWHERE},
        )
        take_away(connection, home, day)
    finish(home)
    return receipt_file(home.live, device_hash, NOWHERE, NOWHERE).read_text()


def finish(home: Home) -> None:
    """Finish all erasures of a database that nobody has open."""
    compact(home.live, home.rules, home.resources)
    with connect_live(home.live, home.rules, home.resources) as connection:
        publisher = SnapshotPublisher(connection, home.live, home.snapshot, mode=home.mode)
        archiver = Archiver(
            connection, archive_folder(home.live), home.snapshot, after=DAY, mode=home.mode
        )
        try:
            Finishing(home.live).finish(connection, publisher, archiver)
        finally:
            archiver.close()


def take_away(connection: duckdb.DuckDBPyConnection, home: Home, day: date) -> None:
    """Move both cuts, a day at a time, as `Retention` does. A kill leaves a day whole or gone."""
    connection.execute("SET VARIABLE cut = $day", {"day": day})
    run(connection, "expired_duplicates", "expired_rejected")
    latest = _least_stream_time(connection, home)
    while derived.expire(
        connection, latest - _derived_from(home.rules, day), partitions=home.partitions
    ):
        pass
    folder = archive_folder(home.live)
    while events.expire(connection, latest - _midnight(day), folder=folder, unnamed=lambda _: None):
        pass
    _rewrite(connection, home, day)


def _rewrite(connection: duckdb.DuckDBPyConnection, home: Home, day: date) -> None:
    """Files of the archive that reach across the cut, without what lies before it."""
    before = f"occurred_at < TIMESTAMP '{day}'"
    across = [file for file in archive_files(connection) if file.first_at < _midnight(day)]
    with connection.cursor() as beside:
        files = rewritten(beside, home.live, across, before, mode=home.mode)
    if not files.rows:
        return
    counted = events.COUNTED.format(f"(FROM {files.rows} WHERE {before})")
    connection.execute("BEGIN")
    try:
        connection.execute(counted)
        files.name(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        files.discard()
        raise
    connection.execute("COMMIT")


def refuse_too_late(connection: duckdb.DuckDBPyConnection, home: Home, day: date) -> None:
    """Raises `DatabaseError` where the stream may still reach what would go."""
    rules = home.rules
    # An event may be on time until then, and the workers hold what it changes.
    bound = _least_stream_time(connection, home) - rules.lateness - rules.lookback - rules.gap
    if _derived_from(rules, day) > bound:
        latest = bound.date() - (_derived_from(rules, day).date() - day)
        raise DatabaseError(
            f"events from {latest} on may still change by what comes late: erase before {latest},"
            " or by device or customer"
        )


def _least_stream_time(connection: duckdb.DuckDBPyConnection, home: Home) -> datetime:
    ((known, least),) = connection.execute(
        "SELECT count(stream_time), min(stream_time) FROM ledger"
    ).fetchall()
    if known < home.partitions:
        raise DatabaseError(
            f"{home.partitions - known} of {home.partitions} partitions had no event yet, and what"
            " comes there may be of any time: erase by device or customer"
        )
    return least  # type: ignore[no-any-return]


def _derived_from(rules: Rules, day: date) -> datetime:
    """From there on all that is kept was made of events from `day` on (T11)."""
    days = -(-max(rules.gap, rules.lookback, _COPIES) // DAY)
    return _midnight(day) + days * DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())
