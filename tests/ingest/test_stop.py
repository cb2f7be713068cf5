"""SIGTERM: what is in flight is finished or refused, and the process is gone in time."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from processes import Verb, wait_for

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka_admin import create_topics
from pipeline.topics import topics

EVENT = {"event_type": "search", "timestamp": "2099-01-01", "session_id": "s", "query": ""}
BODY = {"events": [EVENT]}


def connected(url: str, token: str, length: int, body: bytes) -> socket.socket:
    host, port = url.split("/")[2].split(":")
    connection = socket.create_connection((host, int(port)), timeout=15)
    head = (
        f"POST /beacon HTTP/1.1\r\nhost: {host}\r\norigin: https://shop.example\r\n"
        f"x-storefront-access-token: {token}\r\ncontent-length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def all_of(connection: socket.socket) -> bytes:
    answer = b""
    while data := connection.recv(65_536):
        answer += data
    return answer


@pytest.fixture
def token(settings: Settings) -> str:
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest]}})
    return token


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a Kafka that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def url_of(ingest: Verb) -> str:
    wait_for(lambda: "http://" in ingest.said(), seconds=60)
    return next(word for word in ingest.said().split() if word.startswith("http://"))


def test_a_half_sent_body_and_a_wait_for_an_ack_are_answered_and_the_exit_is_0(
    settings: Settings, token: str, deaf: str
) -> None:
    away = settings.model_copy(
        update={"kafka_bootstrap_servers": deaf, "ack_timeout": timedelta(seconds=2)}
    )
    body = json.dumps(BODY).encode()
    ingest = Verb("ingest", Settings(_env_file=None, **away.model_dump(exclude_unset=True)))
    try:
        url = url_of(ingest)
        with (
            connected(url, token, len(body), body[:9]) as half,
            connected(url, token, len(body), body) as waiting,
            connected(url, token, len(body), body) as idle,
        ):
            assert idle.recv(12) == b"HTTP/1.1 503"
            assert ingest.process is not None
            ingest.process.send_signal(signal.SIGHUP)
            ingest.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            for connection in (waiting, half):
                answer = all_of(connection)
                assert answer.startswith(b"HTTP/1.1 503"), answer
                assert b"access-control-allow-origin: https://shop.example" in answer
                assert b"retry-after: 1" in answer
            assert ingest.process.wait(10) == 0
            assert time.monotonic() - began < 10
        with pytest.raises(ConnectionRefusedError):
            connected(url, token, 0, b"")
        said = ingest.said()
        assert token not in said
        assert "Traceback" not in said
        problems = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert any("503" in problem["message"] for problem in problems)
    finally:
        ingest.kill()


def test_what_was_acknowledged_while_it_ended_is_on_kafka(
    settings: Settings, token: str, read_topic: Any
) -> None:
    create_topics(settings, settings.kafka_bootstrap_servers)
    ingest = Verb("ingest", settings)
    body = json.dumps(BODY).encode()
    acknowledged = 0
    try:
        url = url_of(ingest)
        assert ingest.process is not None
        while True:
            if acknowledged == 20:
                # While the next ones are on their way.
                stop = threading.Timer(0.02, ingest.process.send_signal, [signal.SIGTERM])
                stop.start()
            try:
                with connected(url, token, len(body), body) as connection:
                    acknowledged += connection.recv(12) == b"HTTP/1.1 204"
            except OSError:
                break
        assert ingest.process.wait(10) == 0
    finally:
        ingest.kill()
    assert acknowledged >= 20
    assert len(read_topic(topics(settings).beacons)) >= acknowledged
