"""Each topic: key, value, who writes it, who reads it, how long it is kept.

| topic | key | value | writer | readers |
|---|---|---|---|---|
| beacons | store, device (netstrings) | JSON `events.Beacon` | ingest, worker, erase | worker |
| outcomes | the same, same partition | JSON `domain.outcomes.Outcome` | worker | loader, anyone |
| rejected | store | JSON `Rejected` below | ingest | loader |
| devices-changelog | writer, device | msgpack `domain.device.Device` | worker | worker |

A worker writes to beacons only what ingest sent to a partition that the device has left
(`pipeline partitions`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pipeline.config import Settings

MEBIBYTE = 1024 * 1024
# As Kafka writes it.
FOR_EVER = -1
# For so long Kafka keeps a tombstone of the changelog: who reads on within it misses none.
TOMBSTONES_KEPT = timedelta(days=1)
# The longest record of any topic: a full request grows on its way to an outcome, and one refused
# event may be all of it.
MAX_RECORD_BYTES = 16 * MEBIBYTE


class Rejected(msgspec.Struct, kw_only=True):
    """A record of `rejected`: an event that ingest refused.

    `raw` is the event's JSON as the store sent it, `index` its place in the request, `received_at`
    epoch milliseconds. `request_id` (32 hexadecimal digits; empty if unknown) and `index` identify
    the event: ingest may send a record twice, and the loader keeps one. `timezone` is the store's
    (T10); empty if unknown.
    """

    request_id: str = ""
    store_id: str
    received_at: int
    index: int
    reason: str
    detail: str
    raw: str
    timezone: str = ""


@dataclass(frozen=True)
class Topic:
    """One topic's name under the prefix, partitions and Kafka configuration.

    `is_by_device`: a device's key says the partition, and the number may grow.
    """

    name: str
    partitions: int
    is_by_device: bool
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Topics:
    """The four topics of one pipeline."""

    beacons: Topic
    outcomes: Topic
    rejected: Topic
    changelog: Topic

    def all(self) -> list[Topic]:
        """In the order of an event's way."""
        return [self.beacons, self.rejected, self.outcomes, self.changelog]


def group(settings: Settings) -> str:
    """The workers' consumer group, and the Faust app's id."""
    return f"{settings.topic_prefix}worker"


def topics(settings: Settings) -> Topics:
    """The topics under the prefix of `settings`."""

    def topic(name: str, partitions: int, *, is_by_device: bool, **config: str) -> Topic:
        config["max.message.bytes"] = str(MAX_RECORD_BYTES)
        # So one broker may be away.
        fewest = settings.min_insync_replicas or max(1, settings.replication - 1)
        config["min.insync.replicas"] = str(fewest)
        return Topic(settings.topic_prefix + name, partitions, is_by_device, config)

    def keyed(name: str, **config: str) -> Topic:
        return topic(name, settings.partitions, is_by_device=True, **config)

    # LogAppendTime: a record stamped with an event's time of years ago would be deleted at once. If
    # a worker's clock is ahead, Kafka would refuse its states after it has accepted its outcomes.
    stamped = {"message.timestamp.type": "LogAppendTime"}
    return Topics(
        beacons=keyed("beacons", **{**stamped, "retention.ms": _ms(settings.beacons_retention)}),
        outcomes=keyed("outcomes", **{**stamped, "retention.ms": _ms(settings.outcomes_retention)}),
        rejected=topic(
            "rejected",
            1,
            is_by_device=False,
            **{**stamped, "retention.ms": _ms(settings.rejected_retention)},
        ),
        changelog=keyed(f"worker-{CHANGELOG_TABLE}-changelog", **{**stamped, **_COMPACTED}),
    )


# So that a recovery reads little more than the live devices (decision 0038).
_COMPACTED = {
    "cleanup.policy": "compact",
    # Kafka compacts when a fifth of the bytes is new, not half: a quarter more than the live ones.
    "min.cleanable.dirty.ratio": "0.2",
    # It never compacts the segment to which it writes, of 1 GiB by default.
    "segment.bytes": str(2 * MAX_RECORD_BYTES),
    # However little is written: what was erased stays no longer, either.
    "max.compaction.lag.ms": str(timedelta(days=1) // timedelta(milliseconds=1)),
    "delete.retention.ms": str(TOMBSTONES_KEPT // timedelta(milliseconds=1)),
}

# Faust names a table's changelog <app id>-<table>-changelog.
CHANGELOG_TABLE = "devices"


def _ms(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1) or FOR_EVER)
