"""What ingest costs: CPU of a request beside a bare 204 in the same run, and its latency.

Run: `python bench/ingest.py`, nothing else running. The server is pinned to one core; the load
and the broker share the other. CPU is the server process's own, all threads of it. A machine is
quicker at one time than at another, so each round has them all, and a ratio is the median of the
rounds' own.
"""

from __future__ import annotations

import asyncio
import cProfile
import itertools
import multiprocessing
import os
import pstats
import socket
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
import uvicorn
import uvloop
from http_load import closed, open_
from http_requests import AGENT, NOW_MS, body, requests_of
from kafka import KafkaProducer

from pipeline.config import MEBIBYTE, Settings
from pipeline.delivery.kafka_publisher import KafkaPublisher
from pipeline.delivery.pending import PendingRequest
from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record
from pipeline.devstack.broker.server import Broker
from pipeline.http.exchange import Exchange
from pipeline.http.limits import BodyBudget
from pipeline.ingest.app import App, create_app
from pipeline.ingest.server import serve
from pipeline.ingest.stores import StoreEntry, Stores, new_token
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

CONNECTIONS = 256
SECONDS = 4.0
ROUNDS = 3
SHARE = 0.3  # of the most that a server takes: a busy day, not a flood
BARE, KAFKA, KAFKA_PYTHON = "bare uvicorn", "ingest, acknowledged by Kafka", "ingest, kafka-python"
SERVER_CORE, LOAD_CORE = 0, 1


class Nowhere(MemoryPublisher):
    """A publisher that keeps nothing, so that ingest alone is measured."""

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:  # noqa: ARG002
        """Forget it."""
        on_durable(None)


class KafkaPython(Nowhere):
    """kafka-python's producer set as ours: lz4, idempotent, no linger; one wake-up a request."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._topic = topics(settings).beacons.name
        self._producer = KafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, acks="all", compression_type="lz4"
        )

    def start(self) -> None:
        """Remember the loop, for the producer's thread."""
        self._loop = asyncio.get_running_loop()

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        """Wait for every acknowledgement."""
        request = PendingRequest(len(records), on_durable)
        for _, key, value in records:
            sent = self._producer.send(self._topic, value, key)
            sent.add_callback(lambda _: self._loop.call_soon_threadsafe(request.finish_one))


async def bare(_scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer 204."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def uvicorn_bare(listening: socket.socket, stop: asyncio.Event) -> None:
    """uvicorn, with nothing but `bare`."""
    server = uvicorn.Server(
        uvicorn.Config(bare, lifespan="off", access_log=False, log_level="error")
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await stop.wait()
    server.should_exit = True
    await serving


Served = Callable[[socket.socket, asyncio.Event], Coroutine[Any, Any, None]]
"""Serves on a socket until it is stopped."""


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
    sent = requests_of(token)
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(_env_file=None, home=Path(home))
        with Broker(settings.home / "broker", settings.cache, is_lasting=True) as broker:
            settings = _on(settings, broker.bootstrap_servers)
            create_topics(settings)
            there = servers(settings, stores)
            for name in (KAFKA, KAFKA_PYTHON):
                measured(there[name], sent)  # Java compiles what it sees used
            print(f"three events a request, {len(body(1))} bytes; {CONNECTIONS} connections")
            rounds = []
            for number in range(ROUNDS):
                # Each with a spool of its own: what one leaves there another would send.
                ours = settings.model_copy(update={"home": settings.home / str(number)})
                made = servers(ours, stores)
                rounds.append({name: measured(server, sent) for name, server in made.items()})
    report(rounds)
    profiled(ingest_app(settings, stores, Nowhere()), token)


def report(rounds: list[dict[str, Figures]]) -> None:
    """Print the medians, and the ratios with the least and the most."""
    print(f"{'':28} us CPU  of bare             requests/s  p99 ms at {SHARE:.0%}  of bare")
    for name in rounds[0]:
        found = [round_[name] for round_ in rounds]
        cpu = [round_[BARE].cpu / round_[name].cpu for round_ in rounds]
        p99 = [round_[name].p99 / round_[BARE].p99 for round_ in rounds]
        print(
            f"{name:28} {median(one.cpu for one in found):6.0f}"
            f"  {median(cpu):5.2f} ({min(cpu):.2f}-{max(cpu):.2f})"
            f"  {median(one.rate for one in found):10.0f}"
            f"  {median(one.p99 for one in found):13.2f}"
            f"  {median(p99):5.1f} ({min(p99):.1f}-{max(p99):.1f})"
        )


def ingest_app(settings: Settings, stores: Stores, publisher: Any) -> App:
    """Our app, on a day on which the events are not too old."""
    return create_app(settings, stores=stores, publisher=publisher, clock=lambda: NOW_MS / 1000)


def _on(settings: Settings, bootstrap: str) -> Settings:
    return settings.model_copy(update={"kafka_bootstrap_servers": bootstrap})


def servers(settings: Settings, stores: Stores) -> dict[str, Served]:
    """What is measured, by name."""

    def serving(publisher: Callable[[], Any]) -> Served:
        async def ours(listening: socket.socket, stop: asyncio.Event) -> None:
            with socket.create_server(("127.0.0.1", 0)) as admin:
                app = ingest_app(settings, stores, publisher())
                await serve(app, settings, listening, admin, stop=stop)

        return ours

    return {
        BARE: uvicorn_bare,
        "ingest, nothing kept": serving(Nowhere),
        KAFKA: serving(lambda: KafkaPublisher(settings)),
        "ingest, Kafka away: the spool": serving(
            lambda: KafkaPublisher(_on(settings, "127.0.0.1:1"))
        ),
        KAFKA_PYTHON: serving(lambda: KafkaPython(settings)),
    }


def measured(served: Served, sent: list[bytes]) -> Figures:
    """Serve in a process of its own, and load it."""
    requests = itertools.cycle(sent)
    context = multiprocessing.get_context("fork")
    done = context.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        process = context.Process(target=in_a_process, args=(served, listening, done))
        process.start()
        port = listening.getsockname()[1]
        closed(port, requests, connections=CONNECTIONS, seconds=SECONDS)
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        count = closed(port, requests, connections=CONNECTIONS, seconds=SECONDS)
        cpu = (sum(watched.cpu_times()[:2]) - before) / count
        rate = count / SECONDS
        taken = open_(port, requests, connections=CONNECTIONS, seconds=SECONDS, rate=SHARE * rate)
        done.set()
        process.join()
    return Figures(cpu * 1e6, rate, taken[int(len(taken) * 0.99)] * 1e3)


def in_a_process(served: Served, listening: socket.socket, done: Signal) -> None:
    """Serve until `done`, on a core of its own."""
    os.sched_setaffinity(0, {SERVER_CORE})

    async def until_done() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(served(listening, stop))
        await asyncio.to_thread(done.wait)
        stop.set()
        await serving

    uvloop.run(until_done())


def profiled(app: App, token: str) -> None:
    """Print where the time of a request goes, without sockets and Kafka: the ten dearest."""
    sent = body(1)
    bodies = BodyBudget(MEBIBYTE)

    def many(count: int) -> None:
        for _ in range(count):
            exchange = Exchange(lambda: None, bodies)
            exchange.method, exchange.path = "POST", "/beacon"
            exchange.query = f"token={token}".encode()
            exchange.headers["user-agent"] = AGENT
            take = app.begin(exchange)
            if take is None:
                raise RuntimeError(exchange.out)
            take(exchange, sent)

    many(2000)
    began = time.process_time()
    many(20_000)
    print(
        f"\nthe app alone: {(time.process_time() - began) / 20_000 * 1e6:.1f} us a request; of it"
    )
    profile = cProfile.Profile()
    profile.runcall(many, 20_000)
    found = pstats.Stats(profile).get_stats_profile()
    dearest = sorted(found.func_profiles.items(), key=lambda item: -item[1].tottime)[:10]
    for name, one in dearest:
        where = Path(one.file_name).name
        print(f"  {one.tottime / found.total_tt:5.1%}  {name} ({where}:{one.line_number})")


if __name__ == "__main__":
    main()
