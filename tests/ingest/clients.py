"""Clients over raw connections, and a publisher that waits to be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingest.wire_cases import minimal
from processes import wait_for

from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record

BODY = json.dumps({"events": [minimal("search", query="shoes")]}).encode()
EMPTY = b'{"events":[{}]}'


class Held(MemoryPublisher):
    """Makes nothing durable until it is told to."""

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting: list[OnDurable] = []

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        self.published.append(records)
        self.waiting.append(on_durable)

    def release(self, *numbers: int) -> None:
        for number in numbers:
            self.loop.call_soon_threadsafe(self.waiting[number], None)


def has(publisher: Held, count: int) -> None:
    """Wait until so many requests wait."""
    wait_for(lambda: len(publisher.waiting) == count)


class Client:
    """A raw connection to a ingest; answers are read one by one."""

    def __init__(self, ingest: Any) -> None:
        self.ingest = ingest
        self.socket = ingest.connect()
        self._read = b""

    def head(self, *lines: str, first: str = "POST /beacon HTTP/1.1") -> bytes:
        token = f"x-storefront-access-token: {self.ingest.token}"
        return "\r\n".join([first, "host: x", token, *lines, "", ""]).encode("latin-1")

    def post(self, body: bytes = BODY, *lines: str) -> bytes:
        return self.head(f"content-length: {len(body)}", *lines) + body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next one: status, headers, body."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first.startswith("HTTP/1.1 ")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("content-length", "0")) if has_body else 0
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return int(first.split(" ")[1]), headers, body

    def _more(self) -> None:
        more = self.socket.recv(65_536)
        assert more, f"it ended after {self._read!r}"
        self._read += more

    def is_ended(self) -> bool:
        """Whether there is no answer more, but the end."""
        assert self._read == b""
        return self.socket.recv(1) == b""


@contextmanager
def client_of(ingest: Any) -> Iterator[Client]:
    client = Client(ingest)
    with client.socket:
        yield client


def chunked(body: bytes, size: int, *trailers: bytes) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join([b"%x\r\n%b\r\n" % (len(part), part) for part in parts])
    return chunks + b"0\r\n" + b"".join([line + b"\r\n" for line in trailers]) + b"\r\n"
