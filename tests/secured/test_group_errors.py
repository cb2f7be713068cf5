"""An error of the whole group is never taken for a group without commits."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.structs import TopicPartition
from certificates import Secured
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Place
from processes import wait_for

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics
from pipeline.kafka.security import security
from pipeline.stream.group_errors import raise_group_errors
from pipeline.topics import group, topics

GUEST = "CN=guest"


@pytest.fixture
def guest(secured: Secured, settings: Settings) -> Settings:
    """Of one who may read `beacons`, and may read the group until a test forbids it.

    By certificate: connections of users with passwords are made anew every few seconds.
    """
    create_topics(settings)
    secured.allow(GUEST, topics(settings).beacons.name, "READ")
    secured.allow_group(GUEST, group(settings))
    return secured.by_certificate("guest", settings)


def may_read_the_group(settings: Settings) -> bool:
    """Whether Kafka lets the user, as librdkafka sees it: it learns of a right a moment later."""
    given = {"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": group(settings)}
    consumer = Consumer({**given, **security(settings).for_librdkafka(), "log_level": 0})
    try:
        consumer.committed([Place(topics(settings).beacons.name, 0)], timeout=10)
    except KafkaException:
        return False
    finally:
        consumer.close()
    return True


def test_a_group_that_may_not_be_read_is_no_group_without_commits(
    guest: Settings, secured: Secured
) -> None:
    def forbid() -> None:
        secured.forbid_group(GUEST, group(guest))
        wait_for(lambda: not may_read_the_group(guest))

    async def ask() -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=guest.kafka_bootstrap_servers,
            group_id=group(guest),
            **security(guest).for_python(),
        )
        place = TopicPartition(topics(guest).beacons.name, 0)
        await consumer.start()
        try:
            raise_group_errors(consumer._coordinator)  # noqa: SLF001
            assert await consumer.committed(place) is None
            await asyncio.to_thread(forbid)
            with pytest.raises(GroupAuthorizationFailedError):
                await consumer.committed(place)
        finally:
            await consumer.stop()

    wait_for(lambda: may_read_the_group(guest))
    asyncio.run(ask())
