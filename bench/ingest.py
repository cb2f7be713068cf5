"""What the door costs: CPU of a request beside a bare 204 in the same run, and its latency.

Run: `python bench/ingest.py`, nothing else running. The server is pinned to one core; the load
and the broker share the other. CPU is the server process's own, all threads of it, so ratios
are what can be compared between machines.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import multiprocessing
import os
import pstats
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import uvicorn
import uvloop
from http_load import closed, open_
from kafka import KafkaProducer

from pipeline.broker.server import Broker
from pipeline.config import Settings
from pipeline.ingest.accept import Accepted
from pipeline.ingest.app import create_app
from pipeline.ingest.durable.kafka import KafkaPublisher
from pipeline.ingest.publisher import MemoryPublisher
from pipeline.ingest.server import http_server
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.kafka_admin import create_topics
from pipeline.topics import topics

NOW_MS = 1_782_907_200_000
CONNECTIONS = 256
SECONDS = 4.0
SHARE = 0.3  # of the most that a server takes: a busy day, not a flood
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

    async def publish(self, accepted: Accepted) -> None:
        """Forget it."""


class KafkaPython(Nowhere):
    """kafka-python's producer with as much linger, one wake-up a request."""

    def __init__(self, settings: Settings, bootstrap: str) -> None:
        super().__init__()
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


@dataclass(frozen=True)
class Figures:
    """CPU microseconds and rate of a request at most load; p99 in ms at `SHARE` of that."""

    cpu: float
    rate: float
    p99: float


def main() -> None:
    """Print the measurements."""
    os.sched_setaffinity(0, {LOAD_CORE})
    token, digest = new_token()
    stores = Stores({"shop": StoreEntry(tokens_sha256=[digest])})
    head = (
        f"POST /beacon?token={token} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {AGENT}\r\n"
        f"accept: */*\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )
    request = head.encode() + BODY
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(_env_file=None, home=Path(home))
        with Broker(settings.home / "broker", settings.cache) as broker:
            create_topics(settings, broker.bootstrap_servers)

            def door(publisher: Any) -> Any:
                return create_app(
                    settings, stores=stores, publisher=publisher, clock=lambda: NOW_MS / 1000
                )

            def kafka(bootstrap: str) -> Any:
                return door(KafkaPublisher(settings, bootstrap))

            there, away = broker.bootstrap_servers, "127.0.0.1:1"
            servers: dict[str, Callable[[], uvicorn.Server]] = {
                "bare uvicorn": lambda: uvicorn.Server(
                    uvicorn.Config(bare, lifespan="off", access_log=False, log_level="error")
                ),
                "door, nothing kept": lambda: http_server(door(Nowhere()), settings),
                "door, acknowledged by Kafka": lambda: http_server(kafka(there), settings),
                "door, Kafka away: the spool": lambda: http_server(kafka(away), settings),
                "door, kafka-python": lambda: http_server(
                    door(KafkaPython(settings, there)), settings
                ),
            }
            print(f"{len(EVENTS)} events a request, {len(BODY)} bytes; {CONNECTIONS} connections")
            print(f"{'':28} us CPU  of bare  requests/s  p99 ms at {SHARE:.0%}  of bare")
            base: Figures | None = None
            for name, server in servers.items():
                found = measured(server, request)
                base = base or found
                print(
                    f"{name:28} {found.cpu:6.0f}  {base.cpu / found.cpu:7.2f}  {found.rate:10.0f}"
                    f"  {found.p99:13.2f}  {found.p99 / base.p99:7.1f}",
                    flush=True,
                )
    profiled(door(Nowhere()), token)


def measured(server: Callable[[], uvicorn.Server], request: bytes) -> Figures:
    """Serve in a process of its own, and load it."""
    context = multiprocessing.get_context("fork")
    done = context.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        process = context.Process(target=serve, args=(server, listening, done))
        process.start()
        port = listening.getsockname()[1]
        closed(port, request, connections=CONNECTIONS, seconds=2.0)
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        count = closed(port, request, connections=CONNECTIONS, seconds=SECONDS)
        cpu = (sum(watched.cpu_times()[:2]) - before) / count
        rate = count / SECONDS
        taken = open_(port, request, connections=CONNECTIONS, seconds=SECONDS, rate=SHARE * rate)
        done.set()
        process.join()
    return Figures(cpu * 1e6, rate, taken[int(len(taken) * 0.99)] * 1e3)


def serve(server: Callable[[], uvicorn.Server], listening: socket.socket, done: Signal) -> None:
    """Serve until `done`, on a core of its own."""
    os.sched_setaffinity(0, {SERVER_CORE})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # it says where it listens

    async def until_done() -> None:
        made = server()
        serving = asyncio.create_task(made.serve(sockets=[listening]))
        await asyncio.to_thread(done.wait)
        made.should_exit = True
        await serving

    uvloop.run(until_done())


def profiled(app: Any, token: str) -> None:
    """Print where the time of a request goes, without sockets and Kafka: the ten dearest."""
    scope = {
        "type": "http",
        "path": "/beacon",
        "method": "POST",
        "query_string": f"token={token}".encode(),
        "headers": [(b"user-agent", AGENT.encode()), (b"content-length", b"%d" % len(BODY))],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY}

    async def send(message: dict[str, Any]) -> None:
        if message.get("status", 204) != 204:
            raise RuntimeError(message)

    async def many(count: int) -> None:
        for _ in range(count):
            await app(scope, receive, send)

    uvloop.run(many(2000))
    began = time.process_time()
    uvloop.run(many(20_000))
    print(
        f"\nthe app alone: {(time.process_time() - began) / 20_000 * 1e6:.1f} us a request; of it"
    )
    profile = cProfile.Profile()
    profile.runcall(uvloop.run, many(20_000))
    found = pstats.Stats(profile).get_stats_profile()
    dearest = sorted(found.func_profiles.items(), key=lambda item: -item[1].tottime)[:10]
    for name, one in dearest:
        where = Path(one.file_name).name
        print(f"  {one.tottime / found.total_tt:5.1%}  {name} ({where}:{one.line_number})")


if __name__ == "__main__":
    main()
