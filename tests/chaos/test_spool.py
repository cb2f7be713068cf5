"""kill -9 of ingest while Kafka is paused: what was answered 204 is there, once, in its order.

The short form runs with the tests; `make chaos ARGS=--kills=60` is the long one.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import psutil
import pytest
import urllib3
from factories import Log
from processes import Verb, wait_for
from records import records_of

from pipeline.addresses import ingest_address
from pipeline.broker.server import Broker
from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka_admin import create_topics
from pipeline.topics import topics

DEVICES = 8
LIMIT = timedelta(seconds=1)


class Shop(threading.Thread):
    """One device that sends one event after the other, and remembers which were answered 204."""

    def __init__(self, url: str, token: str, device: int) -> None:
        super().__init__()
        self.url, self.token, self.device = url, token, device
        self.answered: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        http = urllib3.PoolManager(retries=False, timeout=20)
        number = 0
        while not self.ended.is_set():
            number += 1
            event = {
                "event_type": "search",
                "timestamp": int(time.time() * 1000),
                "session_id": "s",
                "device_id": f"d{self.device}",
                "query": f"{self.device}-{number}",
            }
            body = json.dumps({"events": [event]}).encode()
            headers = {"x-storefront-access-token": self.token}
            try:
                answer: Any = http.request("POST", self.url, body=body, headers=headers)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)  # it was killed: nothing was promised
                continue
            if answer.status == 204:
                self.answered.append(event["query"])


@contextmanager
def paused(kafka: Broker) -> Iterator[None]:
    assert kafka.process_id is not None
    (java,) = psutil.Process(kafka.process_id).children()
    java.suspend()
    try:
        yield
    finally:
        java.resume()


@pytest.mark.timeout(1800)
def test_what_was_answered_204_is_counted_once_and_in_order_through_kills_and_pauses(
    kafka: Broker, settings: Settings, request: pytest.FixtureRequest
) -> None:
    kills = int(request.config.getoption("--kills"))
    create_topics(settings, settings.kafka_bootstrap_servers)
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    with ingest_address(settings).held() as held:
        port = held.getsockname()[1]
    settings = settings.model_copy(update={"ingest_port": port, "ack_timeout": LIMIT})
    dice = random.Random(kills)  # noqa: S311  # when it dies, in or after a pause
    ingest = Verb("ingest", settings)
    shops = [Shop(ingest_address(settings).url("beacon"), token, n) for n in range(DEVICES)]
    try:
        for shop in shops:
            shop.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.5, 1.5))
            with paused(kafka):
                time.sleep(dice.uniform(0.2, 3))
                ingest.kill()
                ingest.start()
                time.sleep(dice.uniform(0.5, 3))
        time.sleep(1)
    finally:
        for shop in shops:
            shop.ended.set()
        for shop in shops:
            shop.join()
        said = ingest.said()
    answered = {query for shop in shops for query in shop.answered}
    found: list[Any] = []

    def is_there() -> bool:
        found[:] = records_of(settings, topics(settings).beacons)
        return answered <= {query for record in found for query in _queries(record.value)}

    try:
        wait_for(is_there, 30)
    finally:
        ingest.kill()
    assert "Traceback" not in said, said
    assert "records go to the spool" in said
    # The rules of the worker: what came twice is one.
    logs: dict[int, Log] = {}
    counted: dict[str, list[str]] = defaultdict(list)
    for record in found:
        log = logs.setdefault(record.partition, Log(partition=record.partition))
        outcome = log.append(record.key, record.value, appended_at=record.timestamp)
        for fact in outcome.facts:
            event = msgspec.json.decode(fact)
            counted[event["device_id"]].append(event["query"])
    print(f"\n{len(answered)} answered, {len(found)} records")
    for shop in shops:
        got = [query for query in counted[f"d{shop.device}"] if query in answered]
        assert got == shop.answered


def _queries(value: bytes) -> list[str]:
    return [event["query"] for event in json.loads(value)["events"]]
