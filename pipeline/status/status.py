"""How far each stage has come in each partition of `beacons`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.config import Settings
from pipeline.delivery.spooled import Spooled, spooled
from pipeline.kafka.admin import committed_offsets, end_offsets, require_topics, topic_ids
from pipeline.status.snapshot import LedgerRow, SnapshotState, read_snapshot
from pipeline.status.state_sizes import StateSize, state_sizes
from pipeline.topics import group, topics
from pipeline.warehouse.backup.last_backup import LastBackup
from pipeline.warehouse.queries import QueryResult
from pipeline.warehouse.snapshots.copy_record import Copy
from pipeline.warehouse.snapshots.publishing import described


@dataclass(frozen=True)
class PartitionLag:
    """A partition of `beacons`: the offset each stage has reached, None before its first.

    Without Kafka, `end` and `committed` are None.
    """

    partition: int
    end: int | None
    committed: int | None
    ledger: LedgerRow | None

    @property
    def published(self) -> int:
        """The offset that the snapshot has reached."""
        return 0 if self.ledger is None else self.ledger.next_origin

    @property
    def behind(self) -> int | None:
        """How many acknowledged records the snapshot lacks; None without Kafka."""
        return None if self.end is None else max(0, self.end - self.published)


@dataclass(frozen=True)
class Status:
    """All partitions, the rejected events, and snapshot and backup, None before the first.

    `topic_id` is the id of `beacons` in Kafka. Without Kafka, `rejected_end` is None. `spool` is
    what the ingests of this home still hold.
    """

    partitions: list[PartitionLag]
    rejected_end: int | None
    snapshot: SnapshotState | None
    topic_id: str = ""
    backup: LastBackup | None = None
    state: list[StateSize] = field(default_factory=list)
    spool: Spooled = field(default_factory=Spooled)

    @property
    def published(self) -> int:
        """How many records and rejected events the snapshot holds."""
        rejected = 0 if self.snapshot is None else self.snapshot.rejected
        return rejected + sum(place.published for place in self.partitions)

    @property
    def behind(self) -> int | None:
        """How many records and rejected events the snapshot lacks; None without Kafka.

        Those in the spool count: they were answered 204, too.
        """
        if self.rejected_end is None:
            return None
        rejected = 0 if self.snapshot is None else self.snapshot.rejected
        lacking = sum(place.behind or 0 for place in self.partitions)
        return max(0, self.rejected_end - rejected) + lacking + self.spool.records

    @property
    def is_published(self) -> bool:
        """Whether the snapshot holds everything that was answered 204."""
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
            return f"rejected events: {_known(self.rejected_end)}; no snapshot yet"
        newest = self.snapshot.newest_received_at
        return (
            f"rejected events: {_known(self.rejected_end)}, published: {self.snapshot.rejected}\n"
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


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _age(span: timedelta) -> str:
    # Another machine's clock may be slightly ahead of ours.
    return str(timedelta(seconds=max(0, round(span.total_seconds()))))


def status(settings: Settings) -> Status:
    """The current status; without a snapshot nothing counts as published.

    Raises `KafkaUnusableError` and `DatabaseError`.
    """
    ours = topics(settings)
    require_topics(settings)
    # First: a record that is sent meanwhile counts in both, and never in neither.
    spool = spooled(settings.home)
    ends = end_offsets(settings, ours.beacons)
    committed = committed_offsets(settings, group(settings), ours.beacons)
    rejected = sum(end_offsets(settings, ours.rejected).values())
    # The topics whose ids the snapshot records.
    recorded = (ours.beacons, ours.outcomes, ours.rejected)
    ids = topic_ids(settings, [topic.name for topic in recorded])
    snapshot = _snapshot(settings, ids)
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
        spool,
    )


def status_without_kafka(settings: Settings) -> Status | None:
    """What the snapshot knows; None if there is none. Raises `DatabaseError`."""
    snapshot = _snapshot(settings, None)
    if snapshot is None:
        return None
    return Status(
        [PartitionLag(number, None, None, row) for number, row in sorted(snapshot.ledger.items())],
        None,
        snapshot,
        backup=LastBackup.recorded(settings.home),
        spool=spooled(settings.home),
    )


def _snapshot(settings: Settings, ids: Mapping[str, str] | None) -> SnapshotState | None:
    ours = topics(settings)
    found = read_snapshot(
        settings.database, beacons=ours.beacons.name, rejected=ours.rejected.name, ids=ids
    )
    copy = Copy.recorded(settings.database)
    if found is None or copy is None:
        return found
    return replace(found, making=described(copy, settings.publish_interval))
