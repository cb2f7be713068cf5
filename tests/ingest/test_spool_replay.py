"""The publisher beside a real Kafka that is paused, or takes no such record."""

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
# No two characters alike, for compression would make it small.
LARGE = "".join(chr(0x4E00 + number) for number in range(1000))


def request(query: str, device: str = "d") -> Accepted:
    event = {"event_type": "search", "timestamp": NOW, "session_id": "s", "device_id": device}
    body = json.dumps({"events": [{**event, "query": query}]}).encode()
    return accept(body, sender=Sender("shop"), request=Request(), is_app=False, received_at=NOW)


def take_no_large_ones(settings: Settings) -> None:
    """Kafka shall refuse `LARGE`."""
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    beacons, small = topics(settings).beacons.name, {"max.message.bytes": "1500"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, beacons, small)])
    admin.close()


async def kept(publisher: KafkaPublisher, settings: Settings, accepted: Accepted) -> None:
    """Wait until all of it is durable."""
    done = asyncio.get_running_loop().create_future()
    publisher.publish(records_of(accepted, topics(settings)), done.set_result)
    assert await done is None


@pytest.fixture
def quick(settings: Settings) -> Settings:
    create_topics(settings)
    return settings.model_copy(update={"ack_timeout": timedelta(seconds=1)})


def test_only_the_first_request_of_an_outage_waits_and_all_follow_in_order_without_a_copy(
    kafka: Broker, quick: Settings, read_topic: Read
) -> None:
    async def story() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        await kept(publisher, quick, request("0"))
        loop = asyncio.get_running_loop()
        with paused(kafka):
            began = loop.time()
            await kept(publisher, quick, request("1"))
            first = loop.time() - began
            assert publisher.circuit.is_open
            began = loop.time()
            for number in range(2, 50):
                await kept(publisher, quick, request(str(number)))
            assert loop.time() - began < first
            assert publisher.spool().records == 49
            assert publisher.spool().bytes > 0
            assert publisher.spool().age > timedelta(0)
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        await kept(publisher, quick, request("50"))
        publisher.close()

    asyncio.run(story())
    assert queries_in(read_topic(topics(quick).beacons)) == [str(number) for number in range(51)]


def test_the_circuit_closes_while_as_much_comes_as_the_door_takes(
    quick: Settings, read_topic: Read
) -> None:
    shops = 100
    sent = dict.fromkeys(map(str, range(shops)), 0)

    async def story() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()

        async def shop(device: str) -> None:
            while publisher.circuit.is_open or publisher.spool().records:
                await kept(publisher, quick, request(f"{device} {sent[device]}", device))
                sent[device] += 1

        async with asyncio.timeout(30):
            await asyncio.gather(*map(shop, sent))
        publisher.close()

    asyncio.run(story())
    found = queries_in(read_topic(topics(quick).beacons))
    for device, count in sent.items():
        mine = [query for query in found if query.split()[0] == device]
        assert mine == [f"{device} {number}" for number in range(count)]


def test_a_record_that_kafka_takes_in_no_form_is_rejected_and_the_rest_goes_on(
    quick: Settings, read_topic: Read
) -> None:
    ours = topics(quick)
    take_no_large_ones(quick)

    async def story() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        await asyncio.gather(
            *[kept(publisher, quick, request(text)) for text in ("before", LARGE, "after")]
        )
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        publisher.close()

    asyncio.run(story())
    assert queries_in(read_topic(ours.beacons)) == ["before", "after"]
    (rejected,) = [json.loads(record.value) for record in read_topic(ours.rejected)]
    assert rejected["reason"] == "refused_by_kafka"
    assert json.loads(rejected["raw"])["query"] == LARGE


def test_what_landed_beside_a_refused_record_is_not_sent_again(
    quick: Settings, read_topic: Read
) -> None:
    ours = topics(quick)
    take_no_large_ones(quick)
    # Devices of every partition: Kafka is asked for each partition in a request of its own.
    others = [str(number) for number in range(12)]

    async def story() -> None:
        publisher = KafkaPublisher(quick)
        publisher.start()
        await until(lambda: not publisher.circuit.is_open)
        requests = [request(LARGE), *(request(text, device=text) for text in others)]
        await asyncio.gather(*[kept(publisher, quick, each) for each in requests])
        await until(lambda: not publisher.circuit.is_open and publisher.spool().records == 0)
        publisher.close()

    asyncio.run(story())
    assert sorted(queries_in(read_topic(ours.beacons))) == sorted(others)
    assert len(read_topic(ours.rejected)) == 1


def test_the_spool_of_a_process_that_is_gone_is_taken_over(
    quick: Settings, read_topic: Read
) -> None:
    nowhere = quick.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})

    async def leave(text: str) -> KafkaPublisher:
        publisher = KafkaPublisher(nowhere)
        publisher.start()
        await kept(publisher, quick, request(text))
        return publisher

    async def story() -> None:
        publishers = [await leave("first"), await leave("second")]
        for publisher in publishers:
            publisher.close()
        heir = KafkaPublisher(quick)
        heir.start()
        spools = quick.home / "spool"
        await until(lambda: not heir.circuit.is_open and not (spools / "1.db").exists())
        await until(lambda: heir.spool().records == 0)
        heir.close()

    asyncio.run(story())
    assert sorted(queries_in(read_topic(topics(quick).beacons))) == ["first", "second"]
