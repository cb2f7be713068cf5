"""The ingest as the outside sees it: a real socket, a real Kafka, a store with a token."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import urllib3
import uvloop
from processes import wait_for
from records import records_of
from taken import taken

from pipeline.config import Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.publisher import MemoryPublisher, Publisher
from pipeline.domain.events import Beacon, Event
from pipeline.ingest.accept import Accepted
from pipeline.ingest.app import create_app
from pipeline.ingest.server import serve as run_until
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.kafka.admin import create_topics
from pipeline.topics import Topic

NOW = 1_782_907_200.0  # 2026-07-01T12:00:00Z


@dataclass
class Ingest:
    """`url` takes beacons; `admin` is the origin of the pages for operators."""

    url: str
    admin: str
    token: str
    backfill_token: str
    stop: Callable[[], object]
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def connect(self) -> socket.socket:
        """A raw connection to it."""
        host, port = self.url.split("/")[2].split(":")
        return socket.create_connection((host, int(port)), timeout=15)

    def at_admin(self) -> Ingest:
        """The same at the operators' address."""
        return replace(self, url=f"{self.admin}/beacon")

    def page(self, path: str, method: str = "GET", **headers: str) -> Any:
        """A page for operators."""
        return self.http.request(method, self.admin + path, headers=headers)

    def post(self, body: Any, *, token: str | None = "", query: str = "", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["x-storefront-access-token"] = token or self.token
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request("POST", self.url + query, body=data, headers=sent)


@contextmanager
def serving(settings: Settings, publisher: Publisher, **more: Any) -> Iterator[Ingest]:
    """The app on a free port, under the clock of a test."""
    (token, digest), (past, past_digest) = new_token(), new_token()
    origins = ["https://shop.example"]
    stores = Stores(
        {
            "shop": StoreEntry(tokens_sha256=[digest], origins=origins),
            "past": StoreEntry(tokens_sha256=[past_digest], origins=origins, backfill=True),
        }
    )
    given = {"stores": stores, **more}
    app = create_app(settings, publisher=publisher, clock=lambda: NOW, **given)
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    url, admin = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in doors)
    opened = threading.Event()
    stops: list[Callable[[], object]] = []

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.is_closed() or loop.call_soon_threadsafe(stop.set))
        await run_until(app, settings, *doors, stop=stop, opened=opened.set)

    thread = threading.Thread(target=uvloop.run, args=(until_stopped(),))
    thread.start()
    assert opened.wait(30)
    try:
        yield Ingest(f"{url}/beacon", admin, token, past, stops[0])
    finally:
        stops[0]()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Ingest]]:
    with ExitStack() as running:
        yield lambda *of, **more: running.enter_context(serving(*of, **more))


@dataclass
class Wire:
    """A ingest with a store in memory, and what the answer and the records say of an event."""

    ingest: Ingest
    publisher: MemoryPublisher

    def take(self, body: Any, *, may_backfill: bool = False, **headers: str) -> Accepted:
        """What a request that is answered 204 has made durable."""
        token = self.ingest.backfill_token if may_backfill else self.ingest.token
        answer = self.ingest.post(body, token=token, **headers)
        assert (answer.status, answer.data) == (204, b"")
        return taken(self.publisher.published.pop())

    def one(self, event: Any, **options: Any) -> Event:
        """A valid event, as the worker reads it; `event` may be its JSON, in bytes."""
        body = b'{"events":[%b]}' % event if isinstance(event, bytes) else {"events": [event]}
        accepted = self.take(body, **options)
        assert accepted.rejected == []
        ((_, value),) = accepted.records
        (raw,) = msgspec.json.decode(value, type=Beacon).events
        return msgspec.json.decode(raw, type=Event)

    def refused(self, event: Any, **options: Any) -> tuple[str, str]:
        """The reason, and the field that the detail names, of one that is not."""
        accepted = self.take({"events": [event]}, **options)
        assert accepted.records == []
        (rejected,) = accepted.rejected
        assert json.loads(rejected.raw) == event
        return rejected.reason, rejected.detail.partition(":")[0]


@pytest.fixture(scope="module")
def wire_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    settings = Settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("home"),
        body_timeout=timedelta(milliseconds=500),
        country_header="CF-IPCountry",
        region_header="cf-region",
        city_header="cf-ipcity",
    )
    publisher = MemoryPublisher()
    with serving(settings, publisher) as ingest:
        yield Wire(ingest, publisher)


@pytest.fixture
def wire(wire_of_module: Wire) -> Wire:
    wire_of_module.publisher.published.clear()
    return wire_of_module


@pytest.fixture
def ingest(settings: Settings, serve: Callable[..., Ingest]) -> Ingest:
    create_topics(settings)
    publisher = KafkaPublisher(settings)
    ingest = serve(settings, publisher)
    # Until Kafka has answered once, records take the way of the spool.
    wait_for(lambda: not publisher.circuit.is_open)
    return ingest


@pytest.fixture
def read_topic(settings: Settings) -> Callable[[Topic], list[Any]]:
    """All records of a topic, by partition and offset."""

    return lambda topic: records_of(settings, topic)
