"""HTTP/1.1 as clients and proxies may use it, over raw sockets."""

from __future__ import annotations

import gc
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ingest.clients import BODY, EMPTY, Client, Held, chunked, client_of, has
from processes import wait_for
from taken import taken

from pipeline.config import Settings
from pipeline.delivery.publisher import MemoryPublisher, SpoolState
from pipeline.http.connection import Connection
from pipeline.http.exchange import Exchange
from pipeline.http.parser import MAX_HEAD_BYTES
from pipeline.ingest import server

Serve = Callable[..., Any]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """No Kafka: what is asked here is asked of ingest alone."""
    return Settings(_env_file=None, home=tmp_path, admin_host="0.0.0.0")  # noqa: S104  # any Host


@pytest.fixture
def held(settings: Settings, serve: Serve) -> Iterator[tuple[Held, Client]]:
    publisher = Held()
    with client_of(serve(settings, publisher)) as client:
        yield publisher, client


@contextmanager
def stopped_amid(publisher: Held, client: Client) -> Iterator[Client]:
    """Stop a ingest for which `client` waits; another one has sent half of a request."""
    with client_of(client.ingest) as half, client_of(client.ingest) as idle:
        client.send(client.post())
        half.send(half.post()[:20])
        has(publisher, 1)
        client.ingest.stop()
        assert idle.is_ended()
        yield half


@pytest.fixture
def client(settings: Settings, serve: Serve) -> Iterator[Client]:
    with client_of(serve(settings, MemoryPublisher())) as client:
        yield client


@pytest.fixture
def at_admin(settings: Settings, serve: Serve) -> Iterator[Client]:
    with client_of(serve(settings, MemoryPublisher()).at_admin()) as client:
        yield client


def test_each_request_begins_behind_the_answer_before_it(held: tuple[Held, Client]) -> None:
    publisher, client = held
    client.send(client.post() * 2 + client.post(b"{}") + client.post())
    for count, answers in enumerate([[204], [204, 422], [204]], start=1):
        has(publisher, count)
        # Another one is served, so the next would have begun by now.
        with client_of(client.ingest) as other:
            other.send(other.post(b"{}"))
            assert other.answer()[0] == 422
        assert len(publisher.waiting) == count
        publisher.release(count - 1)
        assert [client.answer()[0] for _ in answers] == answers


class Knocking(MemoryPublisher):
    """Does `knock` while the hundredth page is made: each asks for the state of the spool."""

    knock: Callable[[], None]
    pages = 0

    def spool(self) -> SpoolState:
        self.pages += 1
        if self.pages == 100:
            self.knock()
        return super().spool()


def test_pages_are_made_one_by_one_and_others_are_served_between(
    settings: Settings, serve: Serve
) -> None:
    count, publisher = 400, Knocking()
    ingest = serve(settings, publisher)
    with client_of(ingest.at_admin()) as client, client_of(ingest) as other:
        publisher.knock = lambda: other.send(other.post())
        client.send(client.head(first="GET /metrics HTTP/1.1") * count)
        pages = [client.answer()[2].decode() for _ in range(count)]
        assert other.answer()[0] == 204
    # It was counted before the last one was made.
    assert 'pipeline_ingest_requests_total{status="204"} 1.0' in pages[-1]


def test_refusals_in_one_piece_are_all_answered(client: Client) -> None:
    """Deeper than Python would call, were each to begin inside the answer before it."""
    client.send(b"PUT /beacon HTTP/1.1\r\nhost: x\r\n\r\n" * 3000)
    assert [client.answer()[0] for _ in range(3000)] == [405] * 3000


@pytest.mark.parametrize("status", [413, 204])
def test_a_body_that_waits_has_its_bound(settings: Settings, serve: Serve, status: int) -> None:
    limit = len(BODY) + 10 if status == 413 else len(BODY) + 11
    small = settings.model_copy(update={"max_body_bytes": limit})
    publisher = Held()
    with client_of(serve(small, publisher)) as client:
        body = BODY + b" " * 11
        client.send(client.post() + client.head("transfer-encoding: chunked") + chunked(body, 9))
        has(publisher, 1)
        publisher.release(0)
        assert client.answer()[0] == 204
        if status == 204:
            has(publisher, 2)
            publisher.release(1)
        assert client.answer()[0] == status


def test_who_waits_for_two_answers_is_not_read_on(held: tuple[Held, Client]) -> None:
    publisher, client = held
    client.send(client.post())
    has(publisher, 1)
    client.send(client.post() + client.post()[:-1])
    client.send(client.post()[-1:] + client.post(EMPTY))
    # Another one is served, so what lies there would have been read by now.
    with client_of(client.ingest) as other:
        other.send(other.post(b"{}"))
        assert other.answer()[0] == 422
    for number in range(4):
        has(publisher, number + 1)
        publisher.release(number)
    assert [client.answer()[0] for _ in range(4)] == [204] * 4
    assert [len(taken(records).rejected) for records in publisher.published] == [0, 0, 0, 1]


def test_what_waits_behind_a_request_is_not_taken_without_end(held: tuple[Held, Client]) -> None:
    publisher, client = held
    client.send(client.post())
    has(publisher, 1)
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.send(client.post() * (64 * 2**20 // len(BODY)))


def test_a_wait_for_durability_is_not_the_clients(settings: Settings, serve: Serve) -> None:
    publisher = Held()
    hasty = settings.model_copy(update={"body_timeout": timedelta(seconds=0.3)})
    ingest = serve(hasty, publisher)
    with client_of(ingest) as patient, client_of(ingest) as silent:
        patient.send(patient.post())
        has(publisher, 1)
        # As long as it takes to cut off one that came later, and once more.
        assert silent.is_ended()
        with client_of(ingest) as another:
            assert another.is_ended()
        publisher.release(0)
        assert patient.answer()[0] == 204


def test_who_does_not_take_answers_is_not_read_on_and_then_cut_off(
    settings: Settings, serve: Serve
) -> None:
    hasty = settings.model_copy(update={"body_timeout": timedelta(seconds=1)})
    with client_of(serve(hasty, MemoryPublisher()).at_admin()) as client:
        asked = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * 1000
        with suppress(ConnectionResetError, BrokenPipeError):
            while True:
                client.send(asked)


def test_a_body_that_is_announced_is_asked_for_unless_it_is_refused(client: Client) -> None:
    expect = "expect: 100-continue"
    client.send(client.head(expect, f"content-length: {len(BODY)}"))
    assert client.answer(has_body=False)[0] == 100
    client.send(BODY)
    assert client.answer()[0] == 204
    client.send(client.head(expect, "content-length: 9000000"))
    assert client.answer()[0] == 413


def test_a_body_is_not_asked_for_before_an_earlier_answer(held: tuple[Held, Client]) -> None:
    publisher, client = held
    announced = client.head("expect: 100-continue", f"content-length: {len(BODY)}")
    client.send(client.post() + announced)
    has(publisher, 1)
    publisher.release(0)
    assert client.answer()[0] == 204
    assert client.answer(has_body=False)[0] == 100
    client.send(BODY)
    has(publisher, 2)
    publisher.release(1)
    assert client.answer()[0] == 204


def test_the_head_of_a_page_is_its_head_alone(at_admin: Client) -> None:
    client = at_admin
    client.send(client.head(first="HEAD /livez HTTP/1.1"))
    status, headers, _ = client.answer(has_body=False)
    assert (status, headers["content-length"]) == (200, "6")
    client.send(client.head(first="GET /livez HTTP/1.1"))
    assert client.answer()[2] == b"alive\n"


def test_every_answer_says_when(client: Client) -> None:
    client.send(client.post() + client.head(first="GET /nothing HTTP/1.1"))
    for _ in range(2):
        date = client.answer()[1]["date"]
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


@pytest.mark.parametrize("first", ["POST /beacon HTTP/1.0", "POST /beacon HTTP/1.1"])
def test_who_wants_no_other_answer_gets_none(client: Client, first: str) -> None:
    lines = ["connection: close"] if "1.1" in first else []
    whole = client.head(*lines, f"content-length: {len(BODY)}", first=first) + BODY
    client.send(whole + client.post())
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (204, "close")
    assert client.is_ended()


def test_an_answer_before_the_body_is_not_cut_off_by_the_end(client: Client) -> None:
    head = client.head("connection: close", "content-length: 100000", first="PUT /beacon HTTP/1.1")
    client.send(head)
    assert client.answer()[0] == 405
    with client_of(client.ingest) as other:
        other.send(other.post())
        assert other.answer()[0] == 204
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.is_ended()
    client.socket.settimeout(15)
    client.send(b" " * 100_000)
    assert client.is_ended()


def test_at_the_end_what_has_begun_is_answered_as_the_last_and_nothing_else(
    held: tuple[Held, Client],
) -> None:
    publisher, client = held
    with stopped_amid(publisher, client) as half:
        with pytest.raises(ConnectionRefusedError):
            Client(client.ingest)
        publisher.release(0)
        status, headers, _ = client.answer()
        assert (status, headers["connection"]) == (204, "close")
        assert client.is_ended()
        half.send(half.post()[20:])
        has(publisher, 2)
        publisher.release(1)
        status, headers, _ = half.answer()
        assert (status, headers["connection"]) == (204, "close")
        assert half.is_ended()


@pytest.mark.parametrize("size", [None, 7, 10_000])
@pytest.mark.parametrize("piece", [1, 100_000])
def test_a_body_with_a_request_to_speak_otherwise_is_read(
    client: Client, size: int | None, piece: int
) -> None:
    """As Java's own client sends each first one, where there is no TLS."""
    lines = ["connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk"]
    length = f"content-length: {len(BODY)}" if size is None else "transfer-encoding: chunked"
    body = BODY if size is None else chunked(BODY, size)
    data = client.head(*lines, length) + body
    for at in range(0, len(data), piece):
        client.send(data[at : at + piece])
    assert client.answer()[0] == 204
    assert client.is_ended()


def test_what_comes_behind_the_last_is_not_taken(held: tuple[Held, Client]) -> None:
    publisher, client = held
    with stopped_amid(publisher, client) as half:
        client.send(client.post(EMPTY))
        half.send(half.post()[20:])
        has(publisher, 2)
        publisher.release(0, 1)
        assert client.answer()[0] == half.answer()[0] == 204
    assert all(taken(records).records for records in publisher.published)


def test_at_the_end_what_cannot_be_finished_is_refused(
    held: tuple[Held, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "GRACE", timedelta(seconds=0.2))
    publisher, client = held
    with client_of(client.ingest) as half:
        client.send(client.post())
        half.send(half.post()[:-1])
        has(publisher, 1)
        client.ingest.stop()
        for one in (client, half):
            status, headers, _ = one.answer()
            assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
            assert one.is_ended()


def test_a_late_body_is_a_request_and_a_late_head_is_none(settings: Settings, serve: Serve) -> None:
    hasty = settings.model_copy(update={"body_timeout": timedelta(seconds=0.3)})
    ingest = serve(hasty, MemoryPublisher())
    for until in (len(b"POST"), -len(BODY) + 1):
        with client_of(ingest) as client:
            client.send(client.post()[:until])
            status, headers, _ = client.answer()
            assert (status, headers["connection"]) == (408, "close")
            assert client.is_ended()
    with client_of(ingest.at_admin()) as client:
        client.send(client.head(first="GET /metrics HTTP/1.1"))
        text = client.answer()[2].decode()
    for name in ("requests", "malformed"):
        assert f'pipeline_ingest_{name}_total{{status="408"}} 1.0' in text


def test_a_request_to_speak_otherwise_is_answered_as_it_is(at_admin: Client) -> None:
    client = at_admin
    lines = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk"]
    client.send(client.head(*lines, first="GET /livez HTTP/1.1"))
    assert client.answer()[::2] == (200, b"alive\n")
    assert client.is_ended()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/%62eacon", 204),
        ("http://shop.example/beacon", 204),
        ("/beacon?x=1#part", 204),
        ("/beacon#part", 204),
        ("//beacon", 404),
        ("/beacon/", 404),
        ("http://shop.example", 404),
        ("*", 404),
    ],
)
def test_a_target_is_found_in_each_of_its_forms(client: Client, target: str, status: int) -> None:
    head = client.head(f"content-length: {len(BODY)}", first=f"POST {target} HTTP/1.1")
    client.send(head + BODY)
    assert client.answer()[0] == status


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_chunks_are_put_together_and_what_trails_them_is_not_read(
    client: Client, size: int
) -> None:
    head = client.head("transfer-encoding: chunked")
    body = chunked(BODY, size, b"content-encoding: gzip", b"x-storefront-access-token: x")
    for number in range(2):
        # As one piece, and byte by byte.
        data = head + body
        for at in range(0, len(data), 1 if number else len(data)):
            client.send(data[at : at + 1] if number else data)
        assert client.answer()[0] == 204


def test_trailers_without_an_end_are_431(client: Client) -> None:
    trailers = b"a: b\r\n" * (MAX_HEAD_BYTES // 6 + 1)
    client.send(client.head("transfer-encoding: chunked") + b"0\r\n" + trailers)
    assert client.answer()[0] == 431
    assert client.is_ended()


@pytest.mark.parametrize("opening", [b"POST /", b"POST / HTTP/1.1\r\na: ", b"POST / HTTP/1.1\r\na"])
def test_a_line_without_an_end_is_431(client: Client, opening: bytes) -> None:
    client.send(opening + b"x" * MAX_HEAD_BYTES)
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (431, "close")
    assert client.is_ended()


def test_a_chunk_whose_head_has_no_end_is_431(client: Client) -> None:
    client.send(client.head("transfer-encoding: chunked", "expect: 100-continue"))
    assert client.answer(has_body=False)[0] == 100
    client.send(b"1;" + b"x" * MAX_HEAD_BYTES)
    assert client.answer()[0] == 431
    assert client.is_ended()


def test_a_connection_rests_as_long_as_it_may(settings: Settings, serve: Serve) -> None:
    quick = settings.model_copy(update={"keep_alive": timedelta(seconds=0.2)})
    with client_of(serve(quick, MemoryPublisher())) as client:
        client.send(client.post())
        assert client.answer()[0] == 204
        assert client.is_ended()


def test_nothing_of_a_request_is_left_for_the_garbage_collector(
    settings: Settings, serve: Serve
) -> None:
    ingest = serve(settings, MemoryPublisher())
    gc.collect()
    gc.disable()
    try:
        for body in (BODY, EMPTY, b"{}", b" " * 2_000_000):
            with client_of(ingest) as client:
                client.send(client.post(body) + client.post(body, "origin: https://x.example"))
                client.answer()
                client.answer()
                client.send(client.head("content-length: 10"))

        def left() -> int:
            return sum(isinstance(one, (Connection, Exchange)) for one in gc.get_objects())

        wait_for(lambda: left() == 0)
    finally:
        gc.enable()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("more", [b"", b"POST /beacon", b"{"])
def test_who_has_said_all_and_still_reads_gets_its_answers(
    held: tuple[Held, Client], count: int, more: bytes
) -> None:
    publisher, client = held
    before = client.head("content-length: 2") if more == b"{" else b""
    client.send(client.post() * count + before + more)
    client.socket.shutdown(socket.SHUT_WR)
    for number in range(count):
        has(publisher, number + 1)
        # Another one is served, so the end of the first would have been met by now.
        with client_of(client.ingest) as other:
            other.send(other.post(b"{}"))
            assert other.answer()[0] == 422
        publisher.release(number)
        assert client.answer()[0] == 204
    assert client.is_ended()


@pytest.mark.parametrize("until", [0, 10, -1])
def test_who_stops_amid_a_request_is_hung_up_on(client: Client, until: int) -> None:
    client.send(client.post()[:until])
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_ended()
    assert malformed(client) == 0


def malformed(client: Client) -> int:
    """How often something was refused that was no request."""
    with client_of(client.ingest.at_admin()) as other:
        other.send(other.head(first="GET /metrics HTTP/1.1"))
        text = other.answer()[2].decode()
    assert "# TYPE pipeline_ingest_malformed_total" in text
    return text.count("pipeline_ingest_malformed_total{")


@pytest.mark.parametrize("expected", ["200-ok", "100-continue, x", "100"])
@pytest.mark.parametrize("waits", [False, True])
def test_what_else_is_expected_is_417_and_the_connection_goes_on(
    held: tuple[Held, Client], expected: str, *, waits: bool
) -> None:
    publisher, client = held
    lines = (f"expect: {expected}", "origin: https://shop.example")
    client.send(client.post() * waits + client.post(BODY, *lines) + client.post())
    if waits:
        has(publisher, 1)
        publisher.release(0)
        assert client.answer()[0] == 204
    status, headers, body = client.answer()
    assert (status, headers.get("connection")) == (417, None)
    assert headers["access-control-allow-origin"] == "https://shop.example"
    assert "100-continue" in json.loads(body)["error"]
    has(publisher, 1 + waits)
    publisher.release(waits)
    assert client.answer()[0] == 204


@pytest.mark.parametrize("expected", ["100-continue", "100-Continue", "200-ok"])
def test_nothing_is_expected_by_http_1_0(client: Client, expected: str) -> None:
    lines = (f"expect: {expected}", f"content-length: {len(BODY)}", "connection: keep-alive")
    client.send(client.head(*lines, first="POST /beacon HTTP/1.0"))
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.answer(has_body=False)
    client.socket.settimeout(15)
    client.send(BODY)
    assert client.answer()[0] == 204


@pytest.mark.parametrize("expected", ["100-CONTINUE", " 100-continue "])
def test_a_body_is_asked_for_in_any_case(client: Client, expected: str) -> None:
    client.send(client.head(f"expect: {expected}", f"content-length: {len(BODY)}"))
    assert client.answer(has_body=False)[0] == 100
    client.send(BODY)
    assert client.answer()[0] == 204


TOKEN = "x-storefront-access-token: x"


@pytest.mark.parametrize(
    ("first", "lines", "status"),
    [
        ("POST /beacon HTTP/1.1", [], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "host: x"], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "Host: y"], 400),
        ("POST /beacon HTTP/1.1", ["host:"], 401),
        ("POST http://x/beacon HTTP/1.1", [], 400),
        ("GET /livez HTTP/1.1", [], 400),
        ("POST /beacon HTTP/1.0", [], 401),
        ("POST /beacon HTTP/1.0", ["host: x", "host: x"], 400),
        ("POST /beacon HTTP/1.1", ["host: x", TOKEN], 401),
        ("POST /beacon HTTP/1.1", ["host: x", TOKEN, TOKEN], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "origin: a", "origin: b"], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "content-encoding: x", "content-encoding: y"], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "expect: 100-continue", "expect: x"], 400),
        ("POST /beacon HTTP/1.1", ["host: x", "expect:"], 401),
        ("POST /beacon HTTP/1.1", ["host: x", "user-agent: a", "user-agent: b"], 401),
    ],
)  # fmt: skip
def test_one_host_is_required_and_what_decides_may_stand_once(
    client: Client, first: str, lines: list[str], status: int
) -> None:
    head = "\r\n".join([first, *lines, "", ""]).encode()
    behind = client.head(first="GET /livez HTTP/1.1")
    client.send(head + behind)
    answered, headers, body = client.answer()
    assert answered == status
    if status == 400:
        assert headers["connection"] == "close"
        assert json.loads(body).keys() == {"error"}
        assert client.is_ended()
