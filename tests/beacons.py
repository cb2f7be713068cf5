"""Generated traffic as records of `beacons`: what ingest would publish, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from pipeline.config import Settings
from pipeline.ingest.accept import Accepted
from pipeline.ingest.intake import Intake
from pipeline.kafka.partitioner import home
from pipeline.replay.files import BadLine, read_requests
from pipeline.topics import topics
from pipeline.traffic import lines

END = datetime(2026, 7, 1, tzinfo=UTC)


def write_traffic(path: Path, *, seed: int = 1, devices: int = 60, days: int = 7) -> Path:
    """Write a file of recorded requests that always end on the same day."""
    with path.open("wb") as file:
        file.writelines(lines(seed, devices=devices, end=END, span=timedelta(days=days)))
    return path


def accepted(path: Path) -> Iterator[Accepted]:
    """What ingest makes of each request in `path`."""
    with path.open("rb") as file:
        for request in read_requests(file):
            assert not isinstance(request, BadLine)
            yield Intake().take(
                request.body,
                headers=request.headers,
                sender=request.sender("local"),
                received_at=0,
            )


class BeaconProducer:
    """Writes records to Kafka as ingest does: acknowledged, keyed, in order.

    With `partitions` it is one that knows of no more than so many.
    """

    def __init__(self, settings: Settings, partitions: int | None = None) -> None:
        self._partitions = partitions
        self._topics = topics(settings)
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                # All of a bench: nothing is read while it is sent.
                "queue.buffering.max.messages": 0,
            }
        )

    def send(self, batch: Iterable[Accepted]) -> int:
        """Publish; returns the number of records once all are acknowledged."""
        count = 0
        for one in batch:
            for key, value in one.records:
                number = -1 if self._partitions is None else home(key, self._partitions)
                self._producer.produce(self._topics.beacons.name, value, key, number)
                count += 1
            for rejected in one.rejected:
                self._producer.produce(
                    self._topics.rejected.name,
                    msgspec.json.encode(rejected),
                    rejected.store_id.encode(),
                )
        assert self._producer.flush(60) == 0
        return count
