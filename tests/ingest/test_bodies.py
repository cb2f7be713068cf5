"""What requests hold together: who gives way, and what counts."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import Any

import pytest
from ingest.clients import BODY, Held, client_of, has
from ingest.transport import Wire
from processes import wait_for

from pipeline.config import MEBIBYTE, Settings
from pipeline.delivery.publisher import MemoryPublisher
from pipeline.http.connection import Connection
from pipeline.http.exchange import Exchange, OnBody
from pipeline.http.limits import OVERHEAD, ConnectionLimit, Limits
from pipeline.http.parser import ServerContext
from pipeline.http.response import Response

MOST = 10_000
NEARLY = BODY + b" " * (900_000 - len(BODY))


class Handler:
    """Answers when it is told to; a request to `/refused` at once."""

    reads = once = frozenset[str]()

    def __init__(self) -> None:
        self.taken: list[Exchange] = []

    def begin(self, exchange: Exchange) -> OnBody | None:
        if exchange.path == "/refused":
            exchange.reply(Response(401))
        return self.take

    def take(self, exchange: Exchange, body: bytes) -> None:
        assert body
        self.taken.append(exchange)

    def refused(self, answer: Response) -> None:
        assert answer.status == 503


class Ingest:
    """Connections without sockets, of one handler and `MOST` bytes."""

    def __init__(self) -> None:
        self.handler = Handler()
        self.context = ServerContext(self.handler, Limits(10, 75, MOST, MOST, 100))
        self.limit = ConnectionLimit(100)
        self.soon: list[Callable[[], None]] = []

    def connection(self, data: bytes = b"") -> tuple[Connection, Wire]:
        wire: Any = Wire()
        connection = Connection(self.context, self.limit, self.soon.append)
        connection.connection_made(wire)
        if data:
            connection.data_received(data)
        return connection, wire

    @property
    def held(self) -> int:
        return self.context.bodies.held


def post(length: int, path: str = "/") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path.encode(), length)


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


def test_the_oldest_of_the_bodies_on_their_way_gives_way(ingest: Ingest) -> None:
    (first, gone), (second, wire) = [ingest.connection(post(5000) + b" " * 4000) for _ in range(2)]
    _, third = ingest.connection(post(3000) + b" " * 2000)
    assert gone.sent.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in gone.sent
    assert wire.sent == third.sent == b""
    second.data_received(b" " * 1000)
    (exchange,) = ingest.handler.taken
    exchange.reply(Response(204))
    assert wire.sent.startswith(b"HTTP/1.1 204")
    # The rest of what was refused is read for nothing, and the connection goes on.
    first.data_received(b" " * 1000 + post(1) + b" ")
    ingest.handler.taken[1].reply(Response(204))
    assert gone.sent.count(b"HTTP/1.1 204") == 1


def test_a_whole_body_does_not_give_way_and_the_next_one_is_refused(ingest: Ingest) -> None:
    _, whole = ingest.connection(post(5000) + b" " * 5000)
    _, late = ingest.connection(post(5000) + b" " * 5000)
    assert whole.sent == b""
    assert late.sent.startswith(b"HTTP/1.1 503")
    ingest.handler.taken[0].reply(Response(204))
    _, next_one = ingest.connection(post(5000) + b" " * 5000)
    assert next_one.sent == b""
    assert len(ingest.handler.taken) == 2


def test_one_that_alone_is_too_much_is_refused_itself_and_holds_nothing(ingest: Ingest) -> None:
    connection, wire = ingest.connection(post(MOST) + b" " * 8000)
    connection.data_received(b" " * 1900)
    assert wire.sent.startswith(b"HTTP/1.1 503")
    assert ingest.held == 0
    connection.data_received(b" " * 100 + post(1) + b" ")
    assert len(ingest.handler.taken) == 1


def test_requests_behind_one_that_waits_have_a_bound(ingest: Ingest) -> None:
    """In one piece, as the transport may read it: each is held while the first one waits."""
    connection, wire = ingest.connection(post(1) + b" " + post(1) + b" ")
    connection.data_received((post(1) + b" ") * 1000)
    assert OVERHEAD < ingest.held <= MOST
    while ingest.handler.taken:
        ingest.handler.taken.pop().reply(Response(204))
        for call in ingest.soon:
            call()
        ingest.soon.clear()
    assert 1 < wire.sent.count(b"HTTP/1.1 204") < MOST // OVERHEAD
    assert wire.sent.count(b"HTTP/1.1 503") == 1
    assert wire.is_ended
    assert ingest.held == 0


@pytest.mark.parametrize(
    "data",
    [
        post(10) + b" ",
        post(1) + b" " + post(1) + b" ",
        post(1) + b" " + post(10) + b" ",
        post(10, "/refused") + b" ",
        post(10, "/refused"),
        post(10),
        post(10)[:-1],
    ],
)
def test_who_is_gone_holds_nothing_but_what_is_not_durable(ingest: Ingest, data: bytes) -> None:
    connection, _ = ingest.connection(data)
    connection.connection_lost(None)
    assert bool(ingest.held) is bool(ingest.handler.taken)
    for exchange in ingest.handler.taken:
        exchange.reply(Response(204))
    assert ingest.held == 0
    assert not ingest.context.bodies.arriving


def test_what_comes_behind_the_last_answer_holds_nothing(ingest: Ingest) -> None:
    connection, wire = ingest.connection(post(1) + b" " + post(1) + b" ")
    connection.stop()
    ingest.handler.taken[0].reply(Response(503, is_last=True))
    assert wire.is_ended
    assert ingest.held == 0


Serve = Callable[..., Any]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, max_bodies_bytes=2 * MEBIBYTE)


def test_beside_stalled_bodies_a_whole_one_is_taken(settings: Settings, serve: Serve) -> None:
    ingest = serve(settings, MemoryPublisher())
    with ExitStack() as clients, client_of(ingest) as good:
        stalled = [clients.enter_context(client_of(ingest)) for _ in range(20)]
        for client in stalled:
            client.send(client.post(NEARLY)[:-1])
        sockets = [client.socket for client in stalled]
        wait_for(lambda: len(select(sockets, [], [], 0)[0]) >= 18)
        good.send(good.post(NEARLY))
        assert good.answer()[0] == 204
        statuses = [one.answer()[0] for one in stalled if select([one.socket], [], [], 0)[0]]
        assert set(statuses) == {503}


def test_a_body_counts_as_what_it_inflates_to_until_it_is_durable(
    settings: Settings, serve: Serve
) -> None:
    publisher = Held()
    body = gzip.compress(NEARLY, mtime=0)
    with ExitStack() as clients:
        ingest = serve(settings, publisher)
        one, other, third = [clients.enter_context(client_of(ingest)) for _ in range(3)]
        for number, client in enumerate((one, other), start=1):
            client.send(client.post(body, "content-encoding: gzip"))
            has(publisher, number)
        third.send(third.post(body, "content-encoding: gzip"))
        status, headers, _ = third.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        publisher.release(0, 1)
        assert one.answer()[0] == other.answer()[0] == 204
        third.send(third.post(body, "content-encoding: gzip"))
        has(publisher, 3)
        publisher.release(2)
        assert third.answer()[0] == 204
