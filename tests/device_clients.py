"""Devices that send through an ingest while a test disturbs Kafka, the disk or the process."""

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


class Shop(threading.Thread):
    """A device that sends events one by one and remembers which got 204."""

    def __init__(self, url: str, token: str, device: int, *, rest: float) -> None:
        super().__init__()
        self.url, self.token, self.device, self.rest = url, token, device, rest
        self.answered: list[str] = []
        self.answers: Counter[int] = Counter()
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
            self.answers[answer.status] += 1
            if answer.status == 204:
                self.answered.append(event["query"])
            else:
                assert answer.headers["retry-after"] == "1"
                time.sleep(0.05)


class Street:
    """All shops, and the one ingest that they send to."""

    def __init__(self, settings: Settings, *, rest: float) -> None:
        token, digest = new_token()
        write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
        with ingest_address(settings).held() as held:
            port = held.getsockname()[1]
        self.settings = settings.model_copy(update={"ingest_port": port, "ack_timeout": LIMIT})
        self.ingest = Verb("ingest", self.settings)
        url = ingest_address(self.settings).url("beacon")
        self.shops = [Shop(url, token, n, rest=rest) for n in range(DEVICES)]

    @property
    def answers(self) -> Counter[int]:
        """The number of answers by status."""
        return sum((shop.answers for shop in self.shops), Counter[int]())

    @property
    def longest(self) -> float:
        """The slowest answer, in seconds."""
        return max(shop.longest for shop in self.shops)

    def assert_counted_once_in_order(self) -> None:
        """Each event answered 204 is on Kafka; by the worker's rules once, in its device's order.

        Ingest may still have it in its spool at first.
        """
        answered = {query for shop in self.shops for query in shop.answered}
        assert answered
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = records_of(self.settings, topics(self.settings).beacons)
            return answered <= set(queries_in(found))

        wait_for(is_there, 30)
        logs: dict[int, Log] = {}
        counted: dict[str, list[str]] = defaultdict(list)
        for record in found:
            log = logs.setdefault(record.partition, Log(partition=record.partition))
            outcome = log.append(record.key, record.value, appended_at=record.timestamp)
            for fact in outcome.facts:
                event = msgspec.json.decode(fact)
                counted[event["device_id"]].append(event["query"])
        print(f"\n{len(answered)} answered, {len(found)} records, longest {self.longest:.1f} s")
        for shop in self.shops:
            got = [query for query in counted[f"d{shop.device}"] if query in answered]
            assert got == shop.answered


@contextmanager
def street(settings: Settings, *, rest: float = 0.0) -> Iterator[Street]:
    """Shops that send until the block ends, and rest so many seconds between two events.

    Ingest goes on until all is checked.
    """
    made = Street(settings, rest=rest)
    try:
        for shop in made.shops:
            shop.start()
        yield made
        _end(made)
        made.assert_counted_once_in_order()
    finally:
        _end(made)
        made.ingest.kill()
    assert "Traceback" not in made.ingest.said(), made.ingest.said()


def _end(made: Street) -> None:
    for shop in made.shops:
        shop.ended.set()
    for shop in made.shops:
        shop.join()
