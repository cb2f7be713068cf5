"""The door as the outside sees it: a real socket, a real Kafka, a store with a token."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
import uvicorn
from kafka import KafkaConsumer, TopicPartition

from pipeline.config import Settings
from pipeline.ingest.app import create_app
from pipeline.ingest.durable import KafkaPublisher
from pipeline.ingest.publisher import Publisher
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.kafka_admin import create_topics
from pipeline.topics import Topic

NOW = 1_782_907_200.0  # 2026-07-01T12:00:00Z


@dataclass
class Door:
    url: str
    token: str
    backfill_token: str
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def post(self, body: Any, *, token: str | None = "", query: str = "", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["x-storefront-access-token"] = token or self.token
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request("POST", self.url + query, body=data, headers=sent)


@pytest.fixture
def serve() -> Iterator[Callable[[Settings, Publisher], Door]]:
    stops: list[Callable[[], None]] = []

    def start(settings: Settings, publisher: Publisher) -> Door:
        (token, digest), (past, past_digest) = new_token(), new_token()
        origins = ["https://shop.example"]
        stores = Stores(
            {
                "shop": StoreEntry(tokens_sha256=[digest], origins=origins),
                "past": StoreEntry(tokens_sha256=[past_digest], origins=origins, backfill=True),
            }
        )
        app = create_app(settings, stores=stores, publisher=publisher, clock=lambda: NOW)
        config = uvicorn.Config(app, port=0, lifespan="on", access_log=False, log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        def stop() -> None:
            server.should_exit = True
            thread.join()

        stops.append(stop)
        return Door(f"http://127.0.0.1:{port}/beacon", token, past)

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def door(settings: Settings, serve: Callable[[Settings, Publisher], Door]) -> Door:
    create_topics(settings, settings.kafka_bootstrap_servers)
    publisher = KafkaPublisher(settings, settings.kafka_bootstrap_servers)
    door = serve(settings, publisher)
    # Until Kafka has answered, records are acknowledged by the spool, and follow.
    while publisher.is_circuit_open:
        time.sleep(0.01)
    return door


@pytest.fixture
def read_topic(settings: Settings) -> Callable[[Topic], list[Any]]:
    """All records of a topic, by partition and offset."""

    def read(topic: Topic) -> list[Any]:
        consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
        try:
            partitions = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            consumer.seek_to_beginning(*partitions)
            records: list[Any] = []
            while any(consumer.position(part) < end for part, end in ends.items()):
                for found in consumer.poll(timeout_ms=500).values():
                    records += found
        finally:
            consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    return read
