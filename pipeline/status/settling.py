"""Waits until all that was answered 204 is in a snapshot of the loader that runs now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pipeline.config import Settings
from pipeline.delivery.spooled import spooled
from pipeline.kafka.admin import end_offsets, topic_ids
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.kafka.partition_counts import as_on_kafka
from pipeline.status.snapshot import SnapshotState, read_snapshot
from pipeline.topics import topics
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.load.running import missing

# Seconds between two looks.
PAUSE = 0.5


@dataclass(frozen=True)
class Held:
    """What Kafka held once: topic ids by name, end offsets by topic and partition."""

    ids: Mapping[str, str]
    ends: Mapping[tuple[str, int], int]

    @classmethod
    def now(cls, settings: Settings) -> Held:
        """Raises `KafkaUnusableError`."""
        settings, _ = as_on_kafka(settings)
        ours = topics(settings)
        names = [topic.name for topic in (ours.beacons, ours.outcomes, ours.rejected)]
        ends = {
            (topic.name, number): end
            for topic in (ours.beacons, ours.rejected)
            for number, end in end_offsets(settings, topic).items()
        }
        return cls(topic_ids(settings, names), ends)

    def lacking(self, snapshot: SnapshotState, *, beacons: str) -> dict[str, int]:
        """How many records of each topic `snapshot` lacks; of a topic that is not here, none."""
        reached = snapshot.reached(beacons=beacons)
        lacking: dict[str, int] = {}
        for place, end in self.ends.items():
            if (records := end - reached.get(place, 0)) > 0:
                lacking[place[0]] = lacking.get(place[0], 0) + records
        return lacking


def settle(settings: Settings, within: timedelta, say: Callable[[str], None]) -> str | None:
    """Wait for at most `within`. Returns what is still awaited, as text; None when nothing is.

    `say` gets what is awaited each time that it is something else.
    """
    until, said, held = time.monotonic() + within.total_seconds(), "", None
    while True:
        try:
            # What is in the spool now is on Kafka once the spool is empty.
            awaited = None if held else _in_spool(settings)
            if awaited is None:
                held = held or Held.now(settings)
                awaited = _awaited(settings, held)
        except (KafkaUnusableError, DatabaseError) as error:
            awaited = str(error)
        if awaited is None or time.monotonic() >= until:
            return awaited
        if awaited != said:
            say(awaited)
            said = awaited
        time.sleep(PAUSE)


def _in_spool(settings: Settings) -> str | None:
    found = spooled(settings.home)
    if found.unread:
        return f"ingest's spool cannot be read: {'; '.join(found.unread)}"
    if not found.records:
        return None
    holds = f"ingest's spool holds {found.records:,} records"
    try:
        Held.now(settings)
    except KafkaUnusableError as error:
        return f"{holds}: {error}"
    return holds


def _awaited(settings: Settings, held: Held) -> str | None:
    # First: a snapshot that is read after it is of that loader.
    if awaited := missing(settings.home):
        return awaited
    ours = topics(settings)
    snapshot = read_snapshot(
        settings.database, beacons=ours.beacons.name, rejected=ours.rejected.name, ids=held.ids
    )
    if snapshot is None:
        return f"no snapshot at {settings.database}"
    lacking = held.lacking(snapshot, beacons=ours.beacons.name)
    return (
        "the snapshot lacks "
        + " and ".join(f"{records:,} records of {name}" for name, records in lacking.items())
        if lacking
        else None
    )
