"""A record that Kafka takes in no form, as records of `rejected`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from pipeline.delivery.publisher import Record
from pipeline.domain.events import Beacon
from pipeline.topics import Rejected

REASON = "refused_by_kafka"


class _WithRaw(msgspec.Struct):
    raw: str = ""


def refusals(record: Record, reason: str, *, topic: str) -> Iterator[Record]:
    """One record for each event of a beacon; for what is no beacon, the record itself.

    `reason` is Kafka's own, and may be another each time. An event's index is its place in the
    beacon; its request id follows from the record, so that the same record refused twice is one.
    """
    try:
        beacon = msgspec.json.decode(record.value, type=Beacon)
        raws = [msgspec.json.decode(event, type=_WithRaw).raw for event in beacon.events]
    except msgspec.DecodeError:
        yield record
        return
    digest = hashlib.sha256(record.key + record.value).hexdigest()
    for index, raw in enumerate(raws):
        rejected = Rejected(
            request_id=digest[:32],
            store_id=beacon.store_id,
            received_at=beacon.received_at,
            index=index,
            reason=REASON,
            detail=reason,
            raw=raw,
        )
        yield Record(topic, beacon.store_id.encode(), msgspec.json.encode(rejected))
