"""Tokens and IP addresses, through all processes: they are in no log, answer, topic or table."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from processes import Verb, wait_for
from records import records_of

from pipeline.config import Settings
from pipeline.ingest.stores import new_token
from pipeline.ingest.stores_file import write_stores
from pipeline.kafka.admin import create_topics
from pipeline.topics import topics

UNKNOWN = "canary-unknown-token"
IN_QUERY = "canary-token-in-query"
SOURCE = "127.0.0.77"
ADDRESSES = {
    "x-forwarded-for": "203.0.113.71, 198.51.100.72",
    "forwarded": 'for=192.0.2.73;proto=https, for="[2001:db8::74]"',
    "x-real-ip": "203.0.113.75",
    "cf-connecting-ip": "203.0.113.76",
    "true-client-ip": "203.0.113.78",
}
CANARIES = [
    UNKNOWN,
    IN_QUERY,
    SOURCE,
    "203.0.113.7",
    "198.51.100.72",
    "192.0.2.73",
    "2001:db8::74",
]
EVENT = {
    "event_type": "search",
    "timestamp": "2099-01-01T00:00:00Z",
    "session_id": "s",
    "query": "linen",
}


def ask(
    url: str, *, token: str | None, body: bytes, query: str = "", method: str = "POST"
) -> bytes:
    """The full response to a request from `SOURCE`."""
    host, port = url.split("/")[2].split(":")
    path = "/" + url.split("/", 3)[3] + query
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in ADDRESSES.items()]
    lines += [
        f"content-length: {len(body)}",
        *([f"x-storefront-access-token: {token}"] * bool(token)),
    ]
    with socket.create_connection((host, int(port)), 20, source_address=(SOURCE, 0)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
    return answer


@pytest.fixture
def running(settings: Settings) -> Iterator[dict[str, Verb]]:
    create_topics(settings)
    verbs: dict[str, Verb] = {}
    try:
        for verb in ("ingest", "worker", "load"):
            command = "ingest --explain" if verb == "ingest" else verb
            verbs[verb] = Verb(command, settings, name=verb)
        yield verbs
    finally:
        for verb in verbs.values():
            verb.kill()


@pytest.fixture
def token(settings: Settings) -> str:
    token, digest = new_token()
    write_stores(settings.stores, {"shop": {"tokens_sha256": [digest], "burst": 50}})
    return token


def records(settings: Settings) -> bytes:
    """Keys, values and headers of every record of every topic."""
    found: list[bytes] = []
    for record in records_of(settings, *topics(settings).all()):
        parts = (record.key, record.value, *(value for _, value in record.headers))
        found += [part for part in parts if part]
    return b"\n".join(found)


def rows(path: Path) -> str:
    """Every row of every table and view's source, as text."""
    with duckdb.connect(path, read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return "\n".join(
            str(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in tables
        )


def test_tokens_and_ip_addresses_are_stored_nowhere(
    token: str, running: dict[str, Verb], settings: Settings
) -> None:
    ingest = running["ingest"]
    wait_for(lambda: "/metrics" in ingest.said())
    url, metrics = (word for word in ingest.said().split() if word.startswith("http://"))
    good = json.dumps({"events": [EVENT, {"event_type": "view"}]}).encode()
    answers = {
        "taken": ask(url, token=token, body=good),
        "taken by query": ask(url, token=None, body=good, query=f"?token={token}"),
        "unknown": ask(url, token=UNKNOWN, body=good),
        "unknown in query": ask(url, token=None, body=good, query=f"?token={IN_QUERY}"),
        "not JSON": ask(url, token=token, body=b"{", query=f"?token={IN_QUERY}"),
        "method": ask(url, token=token, body=b"", query=f"?token={IN_QUERY}", method="GET"),
        "no HTTP": ask(url, token=token, body=b"", query=f"?token={IN_QUERY} x", method="G\x01T"),
    }
    statuses = {name: answer[9:12] for name, answer in answers.items()}
    assert statuses == {
        "taken": b"204",
        "taken by query": b"204",
        "unknown": b"401",
        "unknown in query": b"401",
        "not JSON": b"422",
        "method": b"405",
        "no HTTP": b"400",
    }
    for page in ("metrics", "readyz", "explain", "explain.json"):
        answers[page] = ask(metrics.replace("metrics", page), token=token, body=b"", method="GET")
    wait_for(lambda: settings.database.exists() and "linen" in rows(settings.database))
    wait_for(lambda: "unknown_event_type" in rows(settings.database))
    for verb in running.values():
        verb.stop()
    places = {
        "answers": b"\n".join(answers.values()).decode(),
        "topics": records(settings).decode(errors="replace"),
        "snapshot": rows(settings.database),
        "live": rows(settings.live_database),
        **{f"log of {name}": verb.said() for name, verb in running.items()},
    }
    # The search covers the intended files.
    assert "pipeline_ingest_requests_total" in places["answers"]
    assert b"linen" in answers["explain"]
    assert b"linen" in answers["explain.json"]
    assert all("linen" in places[name] for name in ("topics", "snapshot", "live"))
    assert 'pipeline_ingest_malformed_total{status="400"} 1.0' in places["answers"]
    assert "Kafka acknowledges" in places["log of ingest"]
    found = {
        (name, canary)
        for name, text in places.items()
        for canary in (token, *CANARIES)
        if canary in text
    }
    assert not found
    files = {
        (path.name, canary)
        for path in settings.home.rglob("*")
        if path.is_file()
        for canary in (token, *CANARIES)
        if canary.encode() in path.read_bytes()
    }
    assert not files
