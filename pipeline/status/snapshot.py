"""What the published snapshot says of the progress: its ledger, its ages, its archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline.warehouse.database import NoSnapshotError, open_published


@dataclass(frozen=True)
class LedgerRow:
    """The ledger of one partition of `beacons`: the offset after the last record, and counts."""

    next_origin: int
    records: int
    events: int
    duplicates: int
    failed: int
    erased: int
    expired: int


@dataclass(frozen=True)
class ArchiveState:
    """The archive of a snapshot: its files, their events and bytes, and their days."""

    files: int
    events: int
    bytes: int
    first_day: date | None
    last_day: date | None

    def __str__(self) -> str:
        if not self.files:
            return "archive: empty"
        return (
            f"archive: {self.events:,} events of {self.first_day} to {self.last_day}"
            f" in {self.files:,} files, {self.bytes / 1e6:,.1f} MB"
        )


@dataclass(frozen=True)
class SnapshotState:
    """The published file: its ledger, its age and its archive."""

    published_at: datetime
    newest_received_at: datetime | None
    ledger: dict[int, LedgerRow]
    rejected: int
    archive: ArchiveState
    # Topics that have another id in Kafka than when they were loaded.
    other_topics: tuple[str, ...] = ()
    # Since when sessions, orders and conversions are kept (T11); None: since the beginning.
    derived_from: datetime | None = None
    # How it was made, as text; empty for one of an earlier version.
    making: str = ""
    # What the loader reads next, by topic and partition, of topics that are those in Kafka.
    positions: tuple[tuple[str, int, int], ...] = ()

    def reached(self, *, beacons: str) -> dict[tuple[str, int], int]:
        """The first offset that it lacks, by topic and partition; of others it has nothing.

        Of `beacons`, the topic's name, the ledger says it.
        """
        loaded = {(name, number): at for name, number, at in self.positions}
        return loaded | {(beacons, number): row.next_origin for number, row in self.ledger.items()}


def read_snapshot(
    path: Path, *, beacons: str, rejected: str, ids: Mapping[str, str] | None
) -> SnapshotState | None:
    """The state of the snapshot at `path`, None without one.

    `beacons` and `rejected` are topic names, `ids` the topic ids in Kafka by name. Rows loaded from
    a topic with another id count as nothing, because their offsets are not of the current topic.
    Without `ids`, as Kafka is away, all rows count.
    """
    try:
        connection = open_published(path)
    except NoSnapshotError:
        return None
    with connection:
        published_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        # Not from `events`: that opens every file.
        newest = _rows(
            connection,
            "SELECT greatest((SELECT max(received_at) FROM hot_events),"
            " (SELECT max(last_received_at) FROM archive_files))",
        )[0][0]
        archive = _rows(
            connection,
            "SELECT count(*), CAST(coalesce(sum(events), 0) AS BIGINT),"
            " CAST(coalesce(sum(bytes), 0) AS BIGINT), min(first_day), max(last_day)"
            " FROM archive_files",
        )[0]
        kept = _rows(connection, "SELECT max(derived_from) FROM retention")[0][0]
        held = _rows(connection, "SELECT topic, partition, next_offset, topic_id FROM positions")
        columns = "partition, next_origin, records, events, duplicates, failed, erased, expired"
        ledger = _rows(connection, f"SELECT topic_id, {columns} FROM ledger")  # noqa: S608  # the line above
    known = [(beacons, row[0]) for row in ledger] + [(row[0], row[3]) for row in held]
    others = {name for name, topic_id in known if ids and ids.get(name, topic_id) != topic_id}
    positions = [row[:3] for row in held if not ids or ids.get(row[0]) == row[3]]
    return SnapshotState(
        published_at,
        newest and newest.replace(tzinfo=UTC),
        {
            partition: LedgerRow(*counts)
            for topic_id, partition, *counts in ledger
            if not ids or ids[beacons] == topic_id
        },
        sum(offset for topic, _, offset in positions if topic == rejected),
        ArchiveState(*archive),
        tuple(sorted(others)),
        kept and kept.replace(tzinfo=UTC),
        positions=tuple(positions),
    )


def _rows(connection: duckdb.DuckDBPyConnection, text: str) -> list[tuple[Any, ...]]:
    return connection.execute(text).fetchall()
