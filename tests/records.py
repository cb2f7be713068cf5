"""Read records back from a real Kafka."""

from __future__ import annotations

import json
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from pipeline.config import Settings
from pipeline.topics import Topic


def records_of(settings: Settings, *topics: Topic) -> list[Any]:
    """All records of `topics`, by topic, partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        partitions = [
            TopicPartition(topic.name, number)
            for topic in topics
            for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        records: list[Any] = []
        while any(consumer.position(part) < end for part, end in ends.items()):
            for found in consumer.poll(timeout_ms=500).values():
                records += found
    finally:
        consumer.close()
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def queries_in(records: list[Any]) -> list[str]:
    """The query of each event in `records` of `beacons`, in their order."""
    return [event["query"] for record in records for event in json.loads(record.value)["events"]]
