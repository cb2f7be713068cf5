"""What the door costs: CPU of `accept`, and of a whole request beside a bare 204 in the same run.

Run: `python bench/ingest.py`. CPU times are the server process's own, so the load generator on
the same machine does not count; ratios are what can be compared between machines.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import uvicorn
import uvloop
from kafka import KafkaProducer

from pipeline.broker.server import Broker
from pipeline.config import Settings
from pipeline.domain.events import Request
from pipeline.ingest.accept import Accepted, Sender, accept
from pipeline.ingest.app import create_app
from pipeline.ingest.durable import KafkaPublisher
from pipeline.ingest.publisher import MemoryPublisher
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.kafka_admin import create_topics
from pipeline.topics import topics

NOW_MS = 1_782_907_200_000
CONNECTIONS = 32
SECONDS = 4.0
# The broker runs where it likes; what is measured is the server's CPU, all threads of it.
SERVER_CORE, LOAD_CORE = 0, 1
COMMON = {"session_id": "f3b1c2d4" * 4, "device_id": "0a1b2c3d" * 4, "timestamp": NOW_MS}
EVENTS = [
    {
        **COMMON,
        "event_type": "product_click",
        "timestamp": "2026-07-01T12:00:00.000Z",
        "product_id": 7003338965178,
        "position": 3,
        "attribution_token": "t" * 80,
    },
    {**COMMON, "event_type": "collection_view", "collection_handle": "summer-shoes"},
    {
        **COMMON,
        "event_type": "purchase",
        "currency": "USD",
        "order_id": "1001",
        "items": [{"product_id": "7003338965178", "price": "12.50", "quantity": 2}],
    },
]
BODY = json.dumps({"events": EVENTS}).encode()
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


class Nowhere(MemoryPublisher):
    """A publisher that keeps nothing, so that the door alone is measured."""

    def start(self) -> None:
        """Have nothing to begin."""

    async def publish(self, accepted: Accepted) -> None:
        """Forget it."""


class KafkaPython(Nowhere):
    """kafka-python's producer with as much linger, one wake-up a request."""

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        self._topic = topics(settings).beacons.name
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)

    async def publish(self, accepted: Accepted) -> None:
        """Wait for every acknowledgement."""
        loop = asyncio.get_running_loop()
        for key, value in accepted.records:
            done = loop.create_future()
            sent = self._producer.send(self._topic, value, key)
            sent.add_callback(lambda _, done=done: loop.call_soon_threadsafe(done.set_result, None))
            await done


async def bare(_scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer 204."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def main() -> None:
    """Print the measurements."""
    os.sched_setaffinity(0, {LOAD_CORE})
    sender = Sender("shop")

    def once() -> None:
        accept(BODY, sender=sender, request=Request(), is_app=False, received_at=NOW_MS)

    cost = cpu(once)
    print(f"accept, {len(EVENTS)} events: {cost:.1f} us CPU, {cost / len(EVENTS):.1f} us an event")
    token, digest = new_token()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(_env_file=None, home=Path(home))
        with Broker(settings.home / "broker", settings.cache) as broker:
            create_topics(settings, broker.bootstrap_servers)
            stores = Stores({"shop": StoreEntry(tokens_sha256=[digest])})

            def door(publisher: Any) -> Any:
                return create_app(settings, stores=stores, publisher=publisher, clock=time.time)

            base = measured("bare uvicorn 204", lambda: bare, token, None, "off")
            nowhere = measured("door, no Kafka", lambda: door(Nowhere()), token, base)
            bootstrap = broker.bootstrap_servers
            kafka = lambda: door(KafkaPublisher(settings, bootstrap))  # noqa: E731
            measured("door, acknowledged by Kafka", kafka, token, base)
            python = lambda: door(KafkaPython(settings, bootstrap))  # noqa: E731
            measured("door, acknowledged to kafka-python", python, token, base)
            away = lambda: door(KafkaPublisher(settings, "127.0.0.1:1"))  # noqa: E731
            measured("door, Kafka away: the spool", away, token, base)
            print(f"of the door, accept is {cost / nowhere:.0%}")


def cpu(work: Callable[[], None], *, times: int = 20_000) -> float:
    """Microseconds of CPU per call, after a warm-up."""
    for _ in range(times // 10):
        work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def measured(
    name: str,
    app: Callable[[], Any],
    token: str,
    base: float | None,
    lifespan: Any = "on",
) -> float:
    """Serve `app` in a process, load it, print; CPU microseconds per request."""
    context = multiprocessing.get_context("fork")
    done = context.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        process = context.Process(target=serve, args=(app, listening, done, lifespan))
        process.start()
        port = listening.getsockname()[1]
        asyncio.run(load(port, token, seconds=1.0))
        server = psutil.Process(process.pid)
        before, began = sum(server.cpu_times()[:2]), time.monotonic()
        requests = asyncio.run(load(port, token, seconds=SECONDS))
        cost: float = (sum(server.cpu_times()[:2]) - before) / requests * 1e6
        rate = requests / (time.monotonic() - began)
        done.set()
        process.join()
    ratio = f", {base / cost:.2f} of the bare rate" if base else ""
    print(f"{name}: {cost:.0f} us CPU a request{ratio}; {rate:.0f} requests/s here,")
    print(f"    {1e6 / cost:.0f} requests/s a core")
    return cost


def serve(app: Callable[[], Any], listening: socket.socket, done: Signal, lifespan: Any) -> None:
    """Serve until `done`, on a core of its own."""
    os.sched_setaffinity(0, {SERVER_CORE})
    config = uvicorn.Config(app(), lifespan=lifespan, access_log=False, log_level="error")
    server = uvicorn.Server(config)

    async def until_done() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.to_thread(done.wait)
        server.should_exit = True
        await serving

    uvloop.run(until_done())


async def load(port: int, token: str, *, seconds: float) -> int:
    """Requests answered 204 over `CONNECTIONS` connections."""
    head = (
        f"POST /beacon?token={token} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {AGENT}\r\n"
        f"accept: */*\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )
    request = head.encode() + BODY
    until = time.monotonic() + seconds

    async def client() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.monotonic() < until:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 204"):
                raise RuntimeError(answer.decode())
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*[client() for _ in range(CONNECTIONS)]))


if __name__ == "__main__":
    main()
