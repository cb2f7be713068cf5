"""A fatal error of Kafka's client: what was in flight is sent again by a new one."""

from __future__ import annotations

import asyncio
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from ingest.spooling import until
from processes import paused
from records import records_of

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.publisher import Record
from pipeline.devstack.broker.server import Broker
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "out of order", True)


class Fatal:
    """librdkafka's producer after a fatal error: it says so once, and delivers nothing more."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._is_told = self._is_purged = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def produce(self, *_: object, **__: object) -> None:
        raise KafkaException(FATAL)

    list_topics = produce

    def poll(self, seconds: float) -> int:
        if not self._is_told:
            self._is_told = True
            raise KafkaException(FATAL)
        return int(self._producer.poll(seconds)) if self._is_purged else 0

    def purge(self, *, in_queue: bool, in_flight: bool) -> None:
        self._is_purged = in_flight
        self._producer.purge(in_queue=in_queue, in_flight=in_flight)


def test_what_was_in_flight_is_sent_again(settings: Settings, kafka: Broker) -> None:
    create_topics(settings)
    beacons = topics(settings).beacons
    outcomes: list[object | None] = []

    def publish(publisher: KafkaPublisher, value: bytes) -> None:
        publisher.publish([Record(beacons.name, b"device", value)], outcomes.append)

    async def scenario() -> None:
        publisher = KafkaPublisher(settings)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        with paused(kafka):
            publish(publisher, b"in flight")
            producer = publisher._producer  # noqa: SLF001
            await until(lambda: producer.in_flight)
            producer._producer = Fatal(producer._producer)  # type: ignore[assignment]  # noqa: SLF001
            await until(lambda: len(outcomes) == 1)  # in the spool
        await until(lambda: not publisher.circuit.is_open)
        publish(publisher, b"later")
        await until(lambda: len(outcomes) == 2)
        publisher.close()

    asyncio.run(scenario())
    assert outcomes == [None, None]
    values = [record.value for record in records_of(settings, beacons)]
    # Kafka may have taken the first after all: the worker drops a repeat.
    assert list(dict.fromkeys(values)) == [b"in flight", b"later"]
