"""The progress of each stage by partition, from Kafka and from the published ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.config import Settings
from pipeline.kafka.admin import committed_offsets, end_offsets, require_topics, topic_ids
from pipeline.state_sizes import StateSize, state_sizes
from pipeline.topics import group, topics
from pipeline.warehouse.backup.last_backup import LastBackup
from pipeline.warehouse.database import NoSnapshotError, connect_published
from pipeline.warehouse.queries import QueryResult
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publishing import described


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
class PartitionLag:
    """A partition of `beacons`: the offset each stage has reached, None before its first."""

    partition: int
    end: int
    committed: int | None
    ledger: LedgerRow | None

    @property
    def published(self) -> int:
        """The offset that the snapshot has reached."""
        return 0 if self.ledger is None else self.ledger.next_origin

    @property
    def behind(self) -> int:
        """How many acknowledged records the snapshot lacks."""
        return max(0, self.end - self.published)


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


@dataclass(frozen=True)
class Status:
    """All partitions, the rejected events, and snapshot and backup, None before the first.

    `topic_id` is the id of `beacons` in Kafka.
    """

    partitions: list[PartitionLag]
    rejected_end: int
    snapshot: SnapshotState | None
    topic_id: str = ""
    backup: LastBackup | None = None
    state: list[StateSize] = field(default_factory=list)

    @property
    def published(self) -> int:
        """How many records and rejected events the snapshot holds."""
        rejected = 0 if self.snapshot is None else self.snapshot.rejected
        return rejected + sum(place.published for place in self.partitions)

    @property
    def behind(self) -> int:
        """How many records and rejected events the snapshot lacks."""
        rejected = 0 if self.snapshot is None else self.snapshot.rejected
        return max(0, self.rejected_end - rejected) + sum(p.behind for p in self.partitions)

    @property
    def is_published(self) -> bool:
        """Whether the snapshot holds everything that Kafka holds."""
        return self.behind == 0

    def table(self) -> QueryResult:
        """A row for each partition."""
        columns = ["partition", "on Kafka", "committed", "published", "behind"]
        counted = ["records", "events", "duplicates", "failed", "erased", "expired"]
        rows = []
        for place in self.partitions:
            reached = (place.partition, place.end, place.committed, place.published, place.behind)
            counts = (place.ledger and getattr(place.ledger, name) for name in counted)
            rows.append((*reached, *counts))
        return QueryResult([*columns, *counted], rows)

    def ages(self, now: datetime) -> str:
        """Rejected events, ages and the archive, as text. `now` is UTC."""
        if self.snapshot is None:
            return f"rejected events: {self.rejected_end}; no snapshot yet"
        newest = self.snapshot.newest_received_at
        return (
            f"rejected events: {self.rejected_end}, published: {self.snapshot.rejected}\n"
            f"snapshot: published {_age(now - self.snapshot.published_at)} ago"
            + (f"; newest event received {_age(now - newest)} ago" if newest else "; no event yet")
            + (f"\nsnapshot: {self.snapshot.making}" if self.snapshot.making else "")
            + f"\n{self.snapshot.archive}"
            + f"\nbackup: {self._backup(now)}"
            + (
                f"\nsessions, orders and conversions: from {self.snapshot.derived_from:%Y-%m-%d} on"
                if self.snapshot.derived_from
                else ""
            )
        )

    def _backup(self, now: datetime) -> str:
        if self.backup is None:
            return "none"
        return (
            f"taken {_age(now - self.backup.taken_at)} ago, {self.backup.folder},"
            f" {self.backup.files:,} files, {self.backup.bytes / 1e6:,.1f} MB"
        )


def _age(span: timedelta) -> str:
    # Another machine's clock may be slightly ahead of ours.
    return str(timedelta(seconds=max(0, round(span.total_seconds()))))


def status(settings: Settings) -> Status:
    """The current status; without a snapshot nothing counts as published.

    Raises `KafkaUnusableError` and `DatabaseError`.
    """
    ours = topics(settings)
    require_topics(settings)
    ends = end_offsets(settings, ours.beacons)
    committed = committed_offsets(settings, group(settings), ours.beacons)
    rejected = sum(end_offsets(settings, ours.rejected).values())
    # The topics whose ids the snapshot records.
    recorded = (ours.beacons, ours.outcomes, ours.rejected)
    ids = topic_ids(settings, [topic.name for topic in recorded])
    snapshot = read_snapshot(
        settings.database, beacons=ours.beacons.name, rejected=ours.rejected.name, ids=ids
    )
    copy = Copy.recorded(settings.database)
    if snapshot is not None and copy is not None:
        snapshot = replace(snapshot, making=described(copy, settings.publish_interval))
    ledger = {} if snapshot is None else snapshot.ledger
    return Status(
        [
            PartitionLag(number, end, committed.get(number), ledger.get(number))
            for number, end in sorted(ends.items())
        ],
        rejected,
        snapshot,
        ids[ours.beacons.name],
        LastBackup.recorded(settings.home),
        state_sizes(settings),
    )


def read_snapshot(
    path: Path, *, beacons: str, rejected: str, ids: Mapping[str, str]
) -> SnapshotState | None:
    """The state of the snapshot at `path`, None without one.

    `beacons` and `rejected` are topic names, `ids` the topic ids in Kafka by name. Rows loaded from
    a topic with another id count as nothing, because their offsets are not of the current topic.
    """
    try:
        connection = connect_published(path)
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
        rejected_end = _rows(
            connection,
            "SELECT coalesce(sum(next_offset), 0) FROM positions"
            " WHERE topic = $1 AND topic_id = $2",
            rejected,
            ids[rejected],
        )[0][0]
        columns = "partition, next_origin, records, events, duplicates, failed, erased, expired"
        rows = _rows(
            connection,
            f"SELECT {columns} FROM ledger WHERE topic_id = $1",  # noqa: S608  # the line above
            ids[beacons],
        )
        held = _rows(
            connection,
            "SELECT $1, topic_id FROM ledger UNION SELECT topic, topic_id FROM positions",
            beacons,
        )
    return SnapshotState(
        published_at,
        newest and newest.replace(tzinfo=UTC),
        {row[0]: LedgerRow(*row[1:]) for row in rows},
        int(rejected_end),
        ArchiveState(*archive),
        tuple(sorted({name for name, topic_id in held if ids.get(name, topic_id) != topic_id})),
        kept and kept.replace(tzinfo=UTC),
    )


def _rows(connection: duckdb.DuckDBPyConnection, text: str, *values: str) -> list[tuple[Any, ...]]:
    return connection.execute(text, list(values)).fetchall()
