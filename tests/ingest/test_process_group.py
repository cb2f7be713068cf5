"""`PIPELINE_INGEST_WORKERS`: several processes on one address."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import msgspec
import psutil
import pytest
import urllib3
from ingest.test_operators import metric
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.domain.events import Beacon, Event
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

EVENT = {"event_type": "search", "timestamp": "2099-01-01", "query": ""}


class Group:
    """Ingest as two processes; each request has a connection of its own, so either may get it."""

    def __init__(self, ingest: Verb, token: str) -> None:
        self.ingest = ingest
        self._headers = {"x-storefront-access-token": token}
        self.url, metrics = re.findall(r"(?:ingest|metrics): (http://\S+)", ingest.said())
        self._admin = metrics.removesuffix("/metrics")
        self.taken: list[str] = []
        """The `session_id` of each event that was answered 204."""

    def page(self, path: str) -> Any:
        return urllib3.request("GET", self._admin + path, retries=False)

    def status(self) -> str:
        return str(self.page("/readyz").json()["status"])

    def post(self) -> int:
        session = uuid4().hex
        body = json.dumps({"events": [{**EVENT, "session_id": session}]})
        http = urllib3.PoolManager(retries=False)
        status = http.request("POST", self.url, body=body, headers=self._headers, timeout=15).status
        if status == 204:
            self.taken.append(session)
        return status

    @contextmanager
    def load(self) -> Iterator[Counter[object]]:
        """Four clients that send until the end of the `with`; what became of their requests."""
        outcomes, stop = Counter[object](), threading.Event()

        def client() -> None:
            while not stop.is_set():
                try:
                    outcomes[self.post()] += 1
                except urllib3.exceptions.HTTPError:
                    outcomes["broken"] += 1

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield outcomes
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def members(self) -> list[psutil.Process]:
        assert self.ingest.process is not None
        return psutil.Process(self.ingest.process.pid).children()


@contextmanager
def running(settings: Settings, token: str, name: str = "ingest") -> Iterator[Group]:
    ingest = Verb("ingest", settings, name)
    try:
        wait_for(lambda: "/metrics" in ingest.said(), seconds=60, each=ingest.assert_alive)
        yield Group(ingest, token)
    finally:
        ingest.kill()


@pytest.fixture
def token(settings: Settings) -> str:
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    return token


@pytest.fixture
def two(settings: Settings) -> Settings:
    create_topics(settings)
    return settings.model_copy(update={"ingest_workers": 2})


def sessions(records: list[Any]) -> set[str]:
    """Of all events in records of `beacons`."""
    raw = [
        event
        for record in records
        for event in msgspec.json.decode(record.value, type=Beacon).events
    ]
    return {msgspec.json.decode(event, type=Event).session_id for event in raw}


def test_a_killed_process_loses_nothing_that_was_acknowledged_and_the_other_goes_on(
    two: Settings, token: str, read_topic: Callable[..., list[Any]]
) -> None:
    with running(two, token) as group:
        wait_for(lambda: group.status() == "ready", seconds=60)
        with group.load() as outcomes:
            wait_for(lambda: outcomes[204] >= 200, seconds=60)
            killed = group.members()[0]
            killed.kill()
            wait_for(lambda: group.page("/readyz").json()["processes"][0] == "1")
            assert (group.page("/readyz").status, group.status()) == (200, "degraded")
            before = outcomes.copy()
            wait_for(lambda: outcomes[204] >= before[204] + 200, seconds=60)
            wait_for(lambda: group.status() == "ready", seconds=60)
            assert killed.pid not in [member.pid for member in group.members()]
        # One connection of each client at most was in its hands, and the next one in the queue of
        # its socket, until the kernel had closed that.
        assert set(outcomes) <= {204, "broken"}
        assert outcomes["broken"] <= 8
        assert group.ingest.stop() == 0
        assert "an ingest process was killed by signal 9" in group.ingest.said()
    assert sessions(read_topic(topics(two).beacons)) >= set(group.taken)


def test_one_page_of_metrics_counts_for_all_and_never_less(two: Settings, token: str) -> None:
    name = "pipeline_ingest_requests_total"
    with running(two, token) as group:
        wait_for(lambda: group.status() == "ready", seconds=60)
        assert [group.post() for _ in range(40)] == [204] * 40
        assert metric(group, name, "204") == 40
        assert metric(group, "pipeline_ingest_events_total", "search") == 40
        assert metric(group, "pipeline_ingest_ack_seconds_count") == 40
        assert metric(group, "pipeline_ingest_stores") == 1
        assert metric(group, "pipeline_ingest_processes") == 2
        group.members()[0].kill()
        wait_for(lambda: metric(group, "pipeline_ingest_processes") == 1)
        assert metric(group, name, "204") == 40
        wait_for(lambda: metric(group, "pipeline_ingest_processes") == 2, seconds=60)
        assert group.post() == 204
        assert metric(group, name, "204") == 41


def test_a_process_that_hangs_is_seen_and_the_other_is_ready(two: Settings, token: str) -> None:
    with running(two, token) as group:
        wait_for(lambda: group.status() == "ready", seconds=60)
        assert group.page("/livez").status == 200
        (hung, _) = group.members()
        hung.suspend()
        assert group.page("/livez").status == 503
        assert group.page("/readyz").status == 200
        hung.resume()
        assert group.page("/livez").status == 200


def test_fewer_processes_take_over_what_the_others_left_in_their_spools(
    two: Settings, token: str, read_topic: Callable[..., list[Any]]
) -> None:
    away = two.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with running(away, token) as group:
        spools = [two.home / "spool" / f"{number}.db" for number in (0, 1)]
        wait_for(lambda: metric(group, "pipeline_ingest_processes") == 2, seconds=60)
        for _ in range(40):
            assert group.post() == 204
        assert metric(group, "pipeline_ingest_spool_records") == 40
        assert group.ingest.stop() == 0
        assert all(path.exists() for path in spools)
    one = two.model_copy(update={"ingest_workers": 1})
    with running(one, token, "one") as heir:
        wait_for(lambda: not spools[1].exists(), seconds=60)
        wait_for(lambda: metric(heir, "pipeline_ingest_spool_records") == 0, seconds=60)
    assert sessions(read_topic(topics(two).beacons)) >= set(group.taken)


def test_processes_end_with_the_one_that_started_them(two: Settings, token: str) -> None:
    with running(two, token) as group:
        wait_for(lambda: len(group.members()) == 2, seconds=60)
        members = group.members()
        group.ingest.kill()
        wait_for(lambda: not any(each.is_running() for each in members))


def test_another_ingest_on_the_port_is_refused(two: Settings, token: str) -> None:
    with running(two, token) as group:
        port = int(group.url.split(":")[2].split("/")[0])
        second = Verb("ingest", two.model_copy(update={"ingest_port": port}), "second")
        try:
            wait_for(second.is_ended, seconds=60)
            assert second.said().count("\n") == 1
            assert "set PIPELINE_INGEST_PORT" in second.said()
        finally:
            second.kill()


def test_what_keeps_all_from_starting_is_one_line(two: Settings) -> None:
    ingest = Verb("ingest", two)
    try:
        wait_for(ingest.is_ended, seconds=60)
        assert ingest.said().count("\n") == 1
        assert str(two.stores) in ingest.said()
        assert ingest.stop() == 1
    finally:
        ingest.kill()


def test_they_share_a_unix_socket(two: Settings, token: str) -> None:
    path = two.home / "ingest.sock"
    shared = two.model_copy(update={"ingest_host": f"unix:{path}"})
    with running(shared, token) as group:
        head = f"GET /beacon HTTP/1.1\r\nhost: x\r\nx-storefront-access-token: {token}\r\n\r\n"
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(head.encode())
                assert client.recv(12) == b"HTTP/1.1 405"
        assert metric(group, "pipeline_ingest_requests_total", "405") == 20
        assert group.ingest.stop() == 0
