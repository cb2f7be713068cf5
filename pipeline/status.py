"""How far each hop has come: lag by partition, from Kafka and from the published ledger."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.kafka_admin import committed_offsets, end_offsets
from pipeline.topics import group, topics
from pipeline.warehouse.database import DatabaseError, connect_published


@dataclass(frozen=True)
class Partition:
    """A partition of `beacons`: offsets up to which each hop has come; None before its first."""

    partition: int
    end: int
    committed: int | None
    published: int | None

    @property
    def is_published(self) -> bool:
        """Whether all that ingest has acknowledged is in the snapshot."""
        return self.end in (0, self.published)


@dataclass(frozen=True)
class Status:
    """All partitions, and whether the refused events are published too."""

    partitions: list[Partition]
    rejected_end: int
    rejected_published: int

    @property
    def is_published(self) -> bool:
        """Whether the snapshot holds everything that is on Kafka."""
        refused = self.rejected_published >= self.rejected_end
        return refused and all(place.is_published for place in self.partitions)


def status(settings: Settings, bootstrap: str) -> Status:
    """As of now. Raises `KafkaUnusableError`; a missing snapshot counts as nothing published."""
    ours = topics(settings)
    ends = end_offsets(bootstrap, ours.beacons)
    committed = committed_offsets(bootstrap, group(settings), ours.beacons)
    rejected = sum(end_offsets(bootstrap, ours.rejected).values())
    published: dict[int, int] = {}
    refused = 0
    try:
        connection = connect_published(settings.database)
    except DatabaseError:
        pass  # before the first snapshot nothing is published, which the numbers say
    else:
        with connection:
            published = dict(
                connection.execute("SELECT partition, next_origin FROM ledger").fetchall()
            )
            refused = connection.execute(
                "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE topic = ?",
                [ours.rejected.name],
            ).fetchall()[0][0]
    return Status(
        [
            Partition(number, end, committed.get(number), published.get(number))
            for number, end in sorted(ends.items())
        ],
        rejected,
        int(refused),
    )
