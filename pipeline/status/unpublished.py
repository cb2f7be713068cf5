"""Records that the snapshot lacks, in the spool and on Kafka, searched for an event."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from pipeline.config import Settings
from pipeline.delivery.spooled import spooled_records
from pipeline.kafka.admin import end_offsets, offsets_at
from pipeline.kafka.clients import KafkaAdmin
from pipeline.status.status import Status
from pipeline.topics import Rejected, group, topics

# Seconds for the search.
PATIENCE = 10.0

Place = tuple[str, int]
"""A topic and a partition."""


@dataclass(frozen=True)
class Found:
    """What names the event: partition and offset of records of `beacons`, and refusals.

    `unsearched` records were not read in time.
    """

    records: list[tuple[int, int]]
    refusals: list[Rejected]
    unsearched: int


def _names(event_id: str) -> set[bytes]:
    """As ingest keeps it: the store's own bytes, which may escape what is not ASCII."""
    return {msgspec.json.encode(event_id), json.dumps(event_id).encode()}


def search_spool(settings: Settings, event_id: str) -> int:
    """How many records in the spools of this home name the event. Raises `SpoolError`."""
    names = _names(event_id)
    return sum(
        any(name in record.value for name in names) for record in spooled_records(settings.home)
    )


def search(settings: Settings, status: Status, event_id: str) -> Found:
    """Search `beacons` and `rejected` from where the snapshot of `status` ends.

    Raises `KafkaUnusableError`.
    """
    if status.is_published:
        return Found([], [], 0)
    kafka, beacons = KafkaAdmin(settings), topics(settings).beacons.name
    names = _names(event_id)
    records, refusals = [], []
    spans = _lacking(settings, status, kafka)
    left = {place: end - begin for place, (begin, end) in spans.items()}
    consumer = kafka.consumer(group(settings))
    try:
        consumer.assign([TopicPartition(*place, begin) for place, (begin, _) in spans.items()])
        until = time.monotonic() + PATIENCE
        while left and time.monotonic() < until:
            record = consumer.poll(0.2)
            if record is None or record.error():
                continue
            place = (str(record.topic()), int(record.partition() or 0))
            offset, value = int(record.offset() or 0), bytes(record.value() or b"")
            if place[0] == beacons:
                if any(name in value for name in names):
                    records.append((place[1], offset))
            elif (refused := _refused(value)) and _event_id(refused) == event_id:
                refusals.append(refused)
            left[place] = spans[place][1] - offset - 1
            if left[place] <= 0:
                del left[place]
                consumer.incremental_unassign([TopicPartition(*place)])
    finally:
        consumer.close()
    return Found(records, refusals, sum(left.values()))


def _lacking(settings: Settings, status: Status, kafka: KafkaAdmin) -> dict[Place, tuple[int, int]]:
    """The first offset that the snapshot lacks and Kafka still holds, and the end."""
    ours, snapshot = topics(settings), status.snapshot
    reached = snapshot.reached(beacons=ours.beacons.name) if snapshot else {}
    found = {}
    for topic in (ours.beacons, ours.rejected):
        begins = offsets_at(settings, topic, None, kafka=kafka)
        for number, end in end_offsets(settings, topic, kafka=kafka).items():
            place = (topic.name, number)
            begin = max(reached.get(place, 0), begins[number])
            if begin < end:
                found[place] = (begin, end)
    return found


def _refused(value: bytes) -> Rejected | None:
    # Whatever else somebody wrote to the topic.
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(value, type=Rejected)
    return None


def _event_id(refused: Rejected) -> str | None:
    """The id as the snapshot's `rejected_events` would have it; what is no JSON has none."""
    event: Any = None
    with suppress(ValueError, RecursionError):
        event = json.loads(refused.raw)
    name = event.get("event_id") if isinstance(event, dict) else None
    return name if name is None or isinstance(name, str) else json.dumps(name)
