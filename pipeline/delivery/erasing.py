"""Sends the records that erase devices (E1): each to the partition of its device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from pipeline.config import Settings
from pipeline.delivery.producer import PARTITIONER
from pipeline.domain.erasure import erasure
from pipeline.kafka.admin import check_topics
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.kafka.security import security
from pipeline.topics import topics

SECONDS = 30

Asked = tuple[str, str, str | None]
"""Store, device key, and the customer whose events of the device alone go."""


def ask(settings: Settings, asked: Sequence[Asked]) -> list[tuple[int, int]]:
    """Append a record for each to `beacons`; partition and offset of each.

    Asking again does no harm. Raises `KafkaUnusableError` unless all are acknowledged.
    """
    check_topics(settings)
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            **security(settings).for_librdkafka(),
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": PARTITIONER,
            "message.timeout.ms": SECONDS * 1000,
            "log_level": 0,
        }
    )
    places: dict[int, tuple[int, int]] = {}
    failed: list[str] = []

    def delivered(number: int, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is None and partition is not None and offset is not None:
            places[number] = (partition, offset)
        else:
            failed.append(error.str() if error else "no offset")

    for number, (store, device, customer) in enumerate(asked):
        now = int(time.time() * 1000)
        key, value = erasure(store, device, received_at=now, customer=customer)
        producer.produce(
            topics(settings).beacons.name,
            value,
            key,
            on_delivery=partial(delivered, number),
        )
        producer.poll(0)
    producer.flush(SECONDS)
    if len(places) < len(asked):
        reason = failed[0] if failed else "no answer"
        raise KafkaUnusableError(
            f"Kafka has acknowledged {len(places)} of {len(asked)} erasures ({reason}): ask again"
        )
    return [places[number] for number in range(len(asked))]
