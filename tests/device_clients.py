"""Devices that send to an ingest while tests break what it depends on."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import urllib3
from factories import Log
from processes import Verb, wait_for
from records import queries_in, records_of

from pipeline.config import Settings
from pipeline.devstack.addresses import ingest_address
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.topics import topics

DEVICES = 8
# How long a request waits for Kafka before the spool has it.
LIMIT = timedelta(seconds=1)


class DeviceClient(threading.Thread):
    """A device that sends one event after another and records which were answered 204."""

    def __init__(self, url: str, token: str, device: int, *, rest: float) -> None:
        super().__init__()
        self.url, self.token, self.device, self.rest = url, token, device, rest
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        http = urllib3.PoolManager(retries=False, timeout=20)
        number = 0
        while not self.ended.wait(self.rest):
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
            began = time.monotonic()
            try:
                answer: Any = http.request("POST", self.url, body=body, headers=headers)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)  # it was killed: nothing was promised
                continue
            self.longest = max(self.longest, time.monotonic() - began)
            self.statuses[answer.status] += 1
            if answer.status == 204:
                self.acknowledged.append(event["query"])
            else:
                assert answer.headers["retry-after"] == "1"
                time.sleep(0.05)


class DeviceClients:
    """All clients, and the ingest that they send to."""

    def __init__(self, settings: Settings, *, rest: float) -> None:
        token, digest = new_token()
        write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
        with ingest_address(settings).held() as held:
            port = held.getsockname()[1]
        self.settings = settings.model_copy(update={"ingest_port": port, "ack_timeout": LIMIT})
        self.ingest = Verb("ingest", self.settings)
        url = ingest_address(self.settings).url("beacon")
        self.clients = [DeviceClient(url, token, n, rest=rest) for n in range(DEVICES)]

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was returned."""
        return sum((client.statuses for client in self.clients), Counter[int]())

    @property
    def longest(self) -> float:
        """Seconds of the slowest response."""
        return max(client.longest for client in self.clients)

    def assert_counted_once_in_order(self) -> None:
        """Each event answered 204 is on Kafka; by the worker's rules once, in its device's order.

        Ingest may still have it in its spool at first.
        """
        acknowledged = {query for client in self.clients for query in client.acknowledged}
        assert acknowledged
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = records_of(self.settings, topics(self.settings).beacons)
            return acknowledged <= set(queries_in(found))

        wait_for(is_there)
        logs: dict[int, Log] = {}
        counted: dict[str, list[str]] = defaultdict(list)
        for record in found:
            log = logs.setdefault(record.partition, Log(partition=record.partition))
            outcome = log.append(record.key, record.value, appended_at=record.timestamp)
            for fact in outcome.facts:
                event = msgspec.json.decode(fact)
                counted[event["device_id"]].append(event["query"])
        counts = f"{len(acknowledged)} acknowledged, {len(found)} records"
        print(f"\n{counts}, longest {self.longest:.1f} s")
        for client in self.clients:
            got = [query for query in counted[f"d{client.device}"] if query in acknowledged]
            assert got == client.acknowledged


@contextmanager
def sending(settings: Settings, *, rest: float = 0.0) -> Iterator[DeviceClients]:
    """Clients that send until the block ends, and rest so many seconds between two events.

    Ingest runs until all is checked.
    """
    made = DeviceClients(settings, rest=rest)
    try:
        for client in made.clients:
            client.start()
        yield made
        _end(made)
        made.assert_counted_once_in_order()
    finally:
        _end(made)
        made.ingest.kill()
    assert "Traceback" not in made.ingest.said(), made.ingest.said()


def _end(made: DeviceClients) -> None:
    for client in made.clients:
        client.ended.set()
    for client in made.clients:
        client.join()
