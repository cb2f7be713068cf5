"""When a connection's requests begin and end, one turn of the loop at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ingest.transport import Wire

from pipeline.http.connection import Connection
from pipeline.http.exchange import Exchange
from pipeline.http.limits import ConnectionLimit, Limits
from pipeline.http.parser import ServerContext
from pipeline.http.response import Response

NO, YES = Response(405), Response(204)
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Handler:
    """Answers `NO` at once, or not at all."""

    reads = once = frozenset[str]()

    def __init__(self, *, is_prompt: bool) -> None:
        self.is_prompt = is_prompt
        self.begun: list[Exchange] = []
        self.refusals: list[Response] = []

    def begin(self, exchange: Exchange) -> None:
        self.begun.append(exchange)
        if self.is_prompt:
            exchange.reply(NO)

    def refused(self, answer: Response) -> None:
        self.refusals.append(answer)


def connected(handler: Handler) -> tuple[Connection, list[Callable[[], None]], Wire]:
    """A connection, what it wants called in a later turn, and what it sends."""
    soon: list[Callable[[], None]] = []
    wire: Any = Wire()
    connection = Connection(
        ServerContext(handler, Limits(10, 75, 100, 10_000, 10)), ConnectionLimit(10), soon.append
    )
    connection.connection_made(wire)
    return connection, soon, wire


def test_of_requests_that_are_answered_at_once_one_begins_in_each_turn() -> None:
    handler = Handler(is_prompt=True)
    connection, soon, wire = connected(handler)
    connection.data_received(REQUEST * 3)
    for count in (1, 2, 3):
        assert len(handler.begun) == count
        while soon and len(handler.begun) == count:
            soon.pop(0)()
    assert wire.sent.count(b"HTTP/1.1 405") == 3


def test_an_answer_behind_the_first_is_neither_sent_nor_counted() -> None:
    handler = Handler(is_prompt=False)
    connection, _, wire = connected(handler)
    connection.data_received(REQUEST)
    (exchange,) = handler.begun
    told: list[Response] = []
    exchange.on_response = lambda _exchange, answer: told.append(answer)
    exchange.reply(NO)
    exchange.reply(YES)
    assert told == [NO]
    assert exchange.out is not None
    assert wire.sent == exchange.out


@pytest.mark.parametrize("more", [b"\0", REQUEST])
def test_at_the_end_what_comes_behind_the_last_request_counts_for_nothing(more: bytes) -> None:
    handler = Handler(is_prompt=False)
    connection, _, wire = connected(handler)
    connection.data_received(REQUEST)
    connection.stop()
    connection.data_received(more)
    assert handler.refusals == []
    handler.begun[0].reply(YES)
    assert wire.sent.count(b"HTTP/1.1") == len(handler.begun) == 1
    assert wire.is_ended


def test_while_two_requests_wait_nothing_is_read() -> None:
    handler = Handler(is_prompt=False)
    connection, soon, wire = connected(handler)
    reading = []
    for _ in range(2):
        connection.data_received(REQUEST)
        reading.append(wire.is_reading)
    for number in range(2):
        handler.begun[number].reply(YES)
        reading.append(wire.is_reading)
        while soon:
            soon.pop(0)()
    assert reading == [True, False, True, True]
