"""SIGTERM: what is in flight is finished or refused, and the process is gone in time."""

from __future__ import annotations

import json
import signal
import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from processes import Verb, paused, wait_for

from pipeline.config import Settings
from pipeline.devstack.broker.server import Broker
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
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


def url_of(ingest: Verb) -> str:
    """Where it listens, once Kafka has answered it: until then the spool takes all."""
    wait_for(lambda: "/metrics" in ingest.said(), seconds=60)
    url, metrics = (word for word in ingest.said().split() if word.startswith("http://"))
    ready = metrics.replace("/metrics", "/readyz")
    wait_for(lambda: urllib3.request("GET", ready).json()["status"] == "ready", seconds=60)
    return url


@pytest.mark.parametrize(
    ("patience", "answered"), [(2, b"204"), (60, b"503")], ids=["short", "longer than the end"]
)
def test_a_half_sent_body_and_a_wait_for_an_ack_are_answered_and_the_exit_is_0(  # noqa: PLR0917
    settings: Settings,
    token: str,
    kafka: Broker,
    read_topic: Any,
    patience: int,
    answered: bytes,
) -> None:
    create_topics(settings)
    patient = settings.model_copy(update={"ack_timeout": timedelta(seconds=patience)})
    body = json.dumps(BODY).encode()
    ingest = Verb("ingest", patient)
    try:
        url = url_of(ingest)
        assert ingest.process is not None
        with (
            paused(kafka),
            connected(url, token, len(body), body[:9]) as half,
            connected(url, token, len(body), body) as waiting,
        ):
            for _ in range(2):  # what comes after both is answered: they are in
                assert urllib3.request("OPTIONS", url).status == 204
            ingest.process.send_signal(signal.SIGHUP)
            ingest.process.send_signal(signal.SIGTERM)
            # The one is finished, by way of the spool, if that is in time; the other cannot be.
            for connection, status in ((waiting, answered), (half, b"503")):
                answer = all_of(connection)
                assert answer.startswith(b"HTTP/1.1 " + status), (answer, ingest.said())
                assert b"access-control-allow-origin: https://shop.example" in answer
                assert (b"retry-after: 1" in answer) == (status == b"503")
            assert ingest.process.wait(50) == 0  # it does not wait for Kafka as long as it may
        with pytest.raises(ConnectionRefusedError):
            connected(url, token, 0, b"")
        assert token not in ingest.said()
        # Its addresses, and then one line of JSON a problem: nothing else, to the very end.
        assert all(json.loads(line)["level"] for line in ingest.raw().splitlines()[2:])
    finally:
        ingest.kill()
    heir = Verb("ingest", patient, "heir")
    try:
        url_of(heir)
        assert len(read_topic(topics(settings).beacons)) >= (answered == b"204")
    finally:
        heir.kill()


def test_what_was_acknowledged_while_it_ended_is_on_kafka(
    settings: Settings, token: str, read_topic: Any
) -> None:
    create_topics(settings)
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
        assert ingest.process.wait(60) == 0
    finally:
        ingest.kill()
    assert acknowledged >= 20
    assert len(read_topic(topics(settings).beacons)) >= acknowledged
