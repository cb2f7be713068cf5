"""Gives topics that exist the properties that the settings ask for."""

from __future__ import annotations

import time
from itertools import groupby

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its names have no __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from pipeline.config import Settings
from pipeline.kafka.admin import actual_topics
from pipeline.kafka.clients import SECONDS, KafkaAdmin
from pipeline.kafka.errors import KafkaUnusableError, UnfitTopicError
from pipeline.kafka.topic_check import Alteration, alterations, other_partitions
from pipeline.topics import topics


def alter_topics(settings: Settings) -> list[Alteration]:
    """Alter what differs, and return it once Kafka shows it; a second call alters nothing.

    Raises `KafkaUnusableError`, also if Kafka takes longer than ten seconds to show it;
    `UnfitTopicError` before anything is altered if a topic has another number of partitions.
    """
    pairs = list(zip(topics(settings).all(), actual_topics(settings), strict=True))
    for topic, one in pairs:
        if (finding := other_partitions(topic, one.partitions)) is not None:
            raise UnfitTopicError(finding.text)
    wanted = [each for topic, one in pairs for each in alterations(topic, one)]
    if wanted:
        _alter(KafkaAdmin(settings), wanted)
        _wait_until_shown(settings, wanted)
    return wanted


def _alter(kafka: KafkaAdmin, wanted: list[Alteration]) -> None:
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(each.key, each.after, incremental_operation=AlterConfigOpType.SET)
                for each in found
            ],
        )
        for name, found in groupby(wanted, key=lambda each: each.topic)
    ]
    futures = kafka.admin.incremental_alter_configs(resources, request_timeout=SECONDS)
    for resource, future in futures.items():
        kafka.call(future.result, f"alter topic {resource.name} (an ACL?)")


def _wait_until_shown(settings: Settings, wanted: list[Alteration]) -> None:
    # Kafka acknowledges before every broker answers with the new values.
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        shown = {topic.name: topic.config for topic in actual_topics(settings)}
        if all(shown[each.topic][each.key] == each.after for each in wanted):
            return
        time.sleep(0.05)
    raise KafkaUnusableError(
        f"Kafka at {settings.kafka_bootstrap_servers} took the alterations and does not show all of"
        " them: run `pipeline topics` to see what it has"
    )
