"""The publisher with a real Kafka that is paused, or refuses a record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ingest.spooling import until
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from processes import paused
from records import queries_in

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.devstack.broker.server import Broker
from pipeline.domain.events import Request
from pipeline.ingest.accept import Accepted, accept
from pipeline.ingest.beacon import records_of
from pipeline.ingest.sender import Sender
from pipeline.kafka.admin import create_topics
from pipeline.topics import Topic, topics

Read = Callable[[Topic], list[Any]]
NOW = 1_782_907_200_000
# All characters differ, so that compression does not shrink it.
LARGE = "".join(chr(0x4E00 + number) for number in range(1000))


def request(query: str, device: str = "d") -> Accepted:
    event = {"event_type": "search", "timestamp": NOW, "session_id": "s", "device_id": device}
    body = json.dumps({"events": [{**event, "query": query}]}).encode()
    return accept(body, sender=Sender("shop"), request=Request(), is_app=False, received_at=NOW)


def limit_record_size(settings: Settings) -> None:
    """Make Kafka refuse `LARGE`."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    beacons, small = topics(settings).beacons.name, {"max.message.bytes": "1500"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, beacons, small)])
    admin.close()


async def publish(publisher: KafkaPublisher, settings: Settings, accepted: Accepted) -> None:
    """Publish all of it and wait until it is durable."""
    done = asyncio.get_running_loop().create_future()
    publisher.publish(records_of(accepted, topics(settings)), done.set_result)
    assert await done is None


@pytest.fixture
def quick(settings: Settings) -> Settings:
    create_topics(settings)
    return settings.model_copy(update={"ack_timeout": timedelta(seconds=1)})


def test_only_the_first_request_of_an_outage_waits_and_all_arrive_once_in_order(
    kafka: Broker, quick: Settings, read_topic: Read
) -> None:
    async def scenario() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        await publish(publisher, quick, request("0"))
        loop = asyncio.get_running_loop()
        with paused(kafka):
            began = loop.time()
            await publish(publisher, quick, request("1"))
            first = loop.time() - began
            assert publisher.circuit.is_open
            began = loop.time()
            for number in range(2, 50):
                await publish(publisher, quick, request(str(number)))
            assert loop.time() - began < first
            assert publisher.spool().records == 49
            assert publisher.spool().bytes > 0
            assert publisher.spool().age > timedelta(0)
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        await publish(publisher, quick, request("50"))
        publisher.close()

    asyncio.run(scenario())
    assert queries_in(read_topic(topics(quick).beacons)) == [str(number) for number in range(51)]


def test_the_circuit_closes_under_full_load(quick: Settings, read_topic: Read) -> None:
    stores = 100
    sent = dict.fromkeys(map(str, range(stores)), 0)

    async def scenario() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()

        async def store(device: str) -> None:
            while publisher.circuit.is_open or publisher.spool().records:
                await publish(publisher, quick, request(f"{device} {sent[device]}", device))
                sent[device] += 1

        async with asyncio.timeout(30):
            await asyncio.gather(*map(store, sent))
        publisher.close()

    asyncio.run(scenario())
    found = queries_in(read_topic(topics(quick).beacons))
    for device, count in sent.items():
        mine = [query for query in found if query.split()[0] == device]
        assert mine == [f"{device} {number}" for number in range(count)]


def test_a_record_that_kafka_refuses_is_rejected_and_the_others_arrive(
    quick: Settings, read_topic: Read
) -> None:
    ours = topics(quick)
    limit_record_size(quick)

    async def scenario() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        await asyncio.gather(
            *[publish(publisher, quick, request(text)) for text in ("before", LARGE, "after")]
        )
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        publisher.close()

    asyncio.run(scenario())
    assert queries_in(read_topic(ours.beacons)) == ["before", "after"]
    (rejected,) = [json.loads(record.value) for record in read_topic(ours.rejected)]
    assert rejected["reason"] == "refused_by_kafka"
    assert json.loads(rejected["raw"])["query"] == LARGE


def test_records_delivered_beside_a_refused_one_are_not_sent_again(
    quick: Settings, read_topic: Read
) -> None:
    ours = topics(quick)
    limit_record_size(quick)
    # Devices of every partition, because each partition has a Kafka request of its own.
    others = [str(number) for number in range(12)]

    async def scenario() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        requests = [request(LARGE), *(request(text, device=text) for text in others)]
        await asyncio.gather(*[publish(publisher, quick, each) for each in requests])
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        publisher.close()

    asyncio.run(scenario())
    assert sorted(queries_in(read_topic(ours.beacons))) == sorted(others)
    assert len(read_topic(ours.rejected)) == 1


def test_an_abandoned_spool_is_recovered(quick: Settings, read_topic: Read) -> None:
    nowhere = quick.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})

    async def abandon(text: str) -> KafkaPublisher:
        publisher = KafkaPublisher(nowhere)
        publisher.start()
        await publish(publisher, quick, request(text))
        return publisher

    async def scenario() -> None:
        publishers = [await abandon("first"), await abandon("second")]
        for publisher in publishers:
            publisher.close()
        successor = KafkaPublisher(quick)
        successor.start()
        spools = quick.home / "spool"
        await until(lambda: not successor.circuit.is_open and not (spools / "1.db").exists())
        await until(lambda: successor.spool().records == 0)
        successor.close()

    asyncio.run(scenario())
    assert sorted(queries_in(read_topic(topics(quick).beacons))) == ["first", "second"]
