"""More connections than there are places: which one ends, and who is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ingest.clients import Client, Held, client_of, has
from ingest.transport import Wire

from pipeline.config import Settings
from pipeline.http.connection import Connection
from pipeline.http.exchange import Exchange
from pipeline.http.limits import ConnectionLimit, Limits
from pipeline.http.parser import ServerContext
from pipeline.http.response import Response

MOST = 3


class Ingest:
    """A ingest of `MOST` places, and its clients, each of which has arrived once it is there."""

    def __init__(self, ingest: Any, publisher: Held, clients: ExitStack) -> None:
        self._door = ingest
        self._clients = clients
        self.publisher = publisher

    def client(self, data: bytes = b"") -> Client:
        client = self._clients.enter_context(client_of(self._door))
        client.send(data)
        return client

    def served(self) -> Client:
        """One that rests behind a request."""
        client = self.client()
        serve_again(client)
        return client


def serve_again(client: Client) -> None:
    client.send(client.post(b"{}"))
    assert client.answer()[0] == 422


@pytest.fixture
def ingest(tmp_path: Path, serve: Callable[..., Any]) -> Iterator[Ingest]:
    settings = Settings(_env_file=None, home=tmp_path, max_connections=MOST)
    publisher = Held()
    with ExitStack() as clients:
        yield Ingest(serve(settings, publisher), publisher, clients)


def test_who_has_rested_longest_gives_way_and_the_new_one_is_served(ingest: Ingest) -> None:
    first, second, third = [ingest.served() for _ in range(3)]
    serve_again(first)
    ingest.served()
    assert second.is_ended()
    for client in (first, third):
        serve_again(client)


def test_silent_clients_do_not_keep_others_out(ingest: Ingest) -> None:
    silent = [ingest.client() for _ in range(20)]
    good = ingest.served()
    for client in silent[:18]:
        assert client.is_ended()
    serve_again(good)


def test_who_rests_gives_way_before_who_is_amid_a_request(ingest: Ingest) -> None:
    amid = ingest.client()
    amid.send(amid.head("expect: 100-continue", "content-length: 2"))
    assert amid.answer(has_body=False)[0] == 100
    resting = [ingest.served() for _ in range(3)]
    assert resting[0].is_ended()
    amid.send(b"{}")
    assert amid.answer()[0] == 422


def test_who_stops_amid_a_request_does_not_keep_others_out(ingest: Ingest) -> None:
    amid = [ingest.client(b"POST /beacon HTTP/1.1\r\n") for _ in range(MOST)]
    new = ingest.client()
    assert amid[0].answer()[0] == 503
    ingest.client()
    assert amid[1].answer()[0] == 503
    serve_again(new)


def test_who_is_amid_a_request_is_told_to_come_again(ingest: Ingest) -> None:
    amid = [ingest.client() for _ in range(MOST)]
    for client in amid:
        lines = ("origin: https://shop.example", "expect: 100-continue", "content-length: 2")
        client.send(client.head(*lines))
        assert client.answer(has_body=False)[0] == 100
    ingest.served()
    status, headers, _ = amid[0].answer()
    assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
    assert headers["access-control-allow-origin"] == "https://shop.example"
    assert amid[0].is_ended()


def test_who_waits_for_an_answer_of_ours_keeps_its_place(ingest: Ingest) -> None:
    waiting = [ingest.client() for _ in range(MOST)]
    for client in waiting:
        client.send(client.post())
    has(ingest.publisher, MOST)
    late = ingest.client()
    status, headers, _ = late.answer()
    assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
    assert late.is_ended()
    ingest.publisher.release(*range(MOST))
    assert [client.answer()[0] for client in waiting] == [204] * MOST
    ingest.served()


@pytest.mark.parametrize("unsent", [0, 1])
def test_who_does_not_take_answers_gives_way_at_once(unsent: int) -> None:
    limit = ConnectionLimit(1)
    wires: list[Any] = [Wire(), Wire()]
    for wire in wires:
        context = ServerContext(Prompt(), Limits(10, 75, 100, 10_000, 1))
        connection = Connection(context, limit, lambda _: None)
        connection.connection_made(wire)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert wire.sent.startswith(b"HTTP/1.1 204")
        wire.unsent = unsent
    assert (wires[0].is_ended, wires[0].is_aborted) == (True, bool(unsent))
    assert not wires[1].is_ended


class Prompt:
    reads = once = frozenset[str]()

    def begin(self, exchange: Exchange) -> None:
        exchange.reply(Response(204))

    def refused(self, answer: Response) -> None:
        raise AssertionError(answer)
