"""What has not reached the snapshot: since when it waits, and when Kafka deletes it; the rates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import Consumer, TopicPartition

from pipeline.config import Settings
from pipeline.delivery.spooled import Spooled
from pipeline.kafka.admin import actual_topics, end_offsets, offsets_at
from pipeline.kafka.clients import KafkaAdmin
from pipeline.kafka.topic_check import RETENTION
from pipeline.status.status import Status
from pipeline.topics import Topic, group, topics

# Over which records are counted for a rate.
WINDOW = timedelta(minutes=5)
# Seconds for Kafka to bring the oldest record of each partition.
PATIENCE = 5.0

Place = tuple[str, int]
"""A topic and a partition."""


@dataclass(frozen=True)
class Waiting:
    """Records of a partition that a stage has not reached, the oldest `written_at`.

    `what` names them. Kafka deletes that one at `expires_at`; None: never.
    """

    what: str
    topic: str
    partition: int
    records: int
    written_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True)
class Flow:
    """What waits, and records per second that came in and were processed of late."""

    waiting: tuple[Waiting, ...]
    beacons_per_second: float
    outcomes_per_second: float

    def oldest(self, now: datetime) -> timedelta:
        """How long the oldest of all has waited; 0 if nothing waits."""
        times = [each.written_at for each in self.waiting if each.written_at]
        return max(timedelta(0), now - min(times, default=now))

    def lines(self, now: datetime) -> list[str]:
        """As text: the rates, then a line for each kind of what waits."""
        line = (
            f"last {WINDOW.total_seconds() / 60:.0f} minutes: {self.beacons_per_second:,.1f}"
            f" beacons/s came in, {self.outcomes_per_second:,.1f}/s were processed"
        )
        said = [line]
        for what in dict.fromkeys(each.what for each in self.waiting):
            these = [each for each in self.waiting if each.what == what]
            line = f"{what}: {sum(each.records for each in these):,}"
            since = min((each.written_at for each in these if each.written_at), default=None)
            until = min((each.expires_at for each in these if each.expires_at), default=None)
            if since:
                line += f", the oldest for {span(now - since)}"
            if until:
                line += f"; they expire in {span(until - now)}"
            said.append(line)
        return said


def spool_lines(spool: Spooled, now: datetime) -> list[str]:
    """What ingest still holds, as text; nothing if it holds nothing."""
    lines = []
    if spool.records:
        lines.append(f"beacons in ingest's spool: {spool.records:,}")
        if spool.since:
            lines[0] += f", the oldest for {span(now - spool.since)}"
    if spool.refused:
        lines.append(f"bytes that Kafka refuses in every form, in the spool: {spool.refused:,}")
    return lines


def oldest(spool: Spooled, flow: Flow | None, now: datetime) -> timedelta:
    """How long the oldest record has waited, on Kafka or in the spool."""
    waited = flow.oldest(now) if flow else timedelta(0)
    return max(waited, now - spool.since) if spool.since else waited


def span(time: timedelta) -> str:
    """A time in its two largest units, as in `5 d 3 h`."""
    seconds = max(0, round(time.total_seconds()))
    units = {"d": seconds // 86400, "h": seconds // 3600 % 24, "min": seconds // 60 % 60}
    units["s"] = seconds % 60
    names = list(units)
    first = next((index for index, name in enumerate(names) if units[name]), 3)
    return " ".join(f"{units[name]} {name}" for name in names[first : first + 2])


def flow(settings: Settings, status: Status) -> Flow:
    """Of a pipeline whose progress is `status`. Raises `KafkaUnusableError`."""
    ours, kafka = topics(settings), KafkaAdmin(settings)
    snapshot = status.snapshot
    loaded = snapshot.reached(beacons=ours.beacons.name) if snapshot else {}
    processed = {
        (ours.beacons.name, each.partition): each.committed
        for each in status.partitions
        if each.committed is not None
    }
    stages: list[tuple[str, Topic, dict[Place, int]]] = [
        ("unprocessed beacons", ours.beacons, processed),
        ("outcomes that are not published", ours.outcomes, loaded),
        ("rejected events that are not published", ours.rejected, loaded),
    ]
    ends = {
        (topic.name, number): end
        for _, topic, _ in stages
        for number, end in end_offsets(settings, topic, kafka=kafka).items()
    }
    kept = {topic.name: topic.number(RETENTION) for topic in actual_topics(settings)}
    behind: dict[Place, tuple[str, int]] = {}
    for what, topic, reached in stages:
        begins = offsets_at(settings, topic, None, kafka=kafka)
        for number, begin in begins.items():
            place = (topic.name, number)
            at = max(reached.get(place, begin), begin)
            if at < ends[place]:
                behind[place] = (what, at)
    written = _written_at(settings, kafka, {place: at for place, (_, at) in behind.items()})
    waiting = []
    for place, (what, at) in behind.items():
        since, retention = written.get(place), kept[place[0]]
        until = since + timedelta(milliseconds=retention) if since and retention >= 0 else None
        waiting.append(Waiting(what, *place, ends[place] - at, since, until))
    return Flow(
        tuple(waiting),
        _rate(settings, kafka, ours.beacons, ends),
        _rate(settings, kafka, ours.outcomes, ends),
    )


def _rate(settings: Settings, kafka: KafkaAdmin, topic: Topic, ends: dict[Place, int]) -> float:
    since = datetime.now(UTC) - WINDOW
    then = offsets_at(settings, topic, since, kafka=kafka)
    # Kafka has no offset for a time after the last record.
    count = sum(ends[topic.name, number] - at for number, at in then.items() if at >= 0)
    return max(0, count) / WINDOW.total_seconds()


def _written_at(
    settings: Settings, kafka: KafkaAdmin, places: dict[Place, int]
) -> dict[Place, datetime]:
    """When the record at each offset was written; without those that Kafka does not bring."""
    if not places:
        return {}
    consumer: Consumer = kafka.consumer(group(settings))
    found: dict[Place, datetime] = {}
    try:
        consumer.assign([TopicPartition(*place, offset) for place, offset in places.items()])
        until = time.monotonic() + PATIENCE
        while found.keys() != places.keys() and time.monotonic() < until:
            record = consumer.poll(0.2)
            if record is None or record.error():
                continue
            place = (str(record.topic()), int(record.partition() or 0))
            at = datetime.fromtimestamp(record.timestamp()[1] / 1000, UTC)
            found.setdefault(place, at)
            consumer.incremental_unassign([TopicPartition(*place)])
    finally:
        consumer.close()
    return found
