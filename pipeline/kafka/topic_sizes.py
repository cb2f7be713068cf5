"""Bytes of a topic on the brokers' disks."""

from __future__ import annotations

from kafka.admin import KafkaAdminClient
from kafka.errors import NoError, for_code

from pipeline.config import Settings
from pipeline.kafka.client_log import errors_as_one_line
from pipeline.kafka.security import security
from pipeline.topics import Topic


def topic_bytes(settings: Settings, topic: Topic) -> dict[int, int]:
    """By partition, as compressed; of several replicas the largest.

    Empty without the right to Describe the cluster. Raises `KafkaRefusesError`.
    """
    # kafka-python, because confluent-kafka cannot ask for it.
    with errors_as_one_line(settings):
        admin = KafkaAdminClient(
            bootstrap_servers=settings.kafka_bootstrap_servers, **security(settings).for_python()
        )
        try:
            brokers = admin.describe_log_dirs({topic.name: list(range(topic.partitions))})
        finally:
            admin.close()
    sizes: dict[int, int] = {}
    for log_dir in (each for broker in brokers for each in broker["log_dirs"]):
        if for_code(log_dir["error_code"]) is not NoError:
            continue
        for found in (each for named in log_dir["topics"] for each in named["partitions"]):
            number = found["partition_index"]
            sizes[number] = max(sizes.get(number, 0), found["partition_size"])
    return sizes
