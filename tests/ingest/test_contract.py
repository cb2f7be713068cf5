"""The contract's tables of requests and answers, row by row, over a real socket."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
from ingest.wire_cases import minimal
from taken import taken

from pipeline.config import Settings
from pipeline.delivery.publisher import MemoryPublisher, OnDurable, Record
from pipeline.domain.events import Beacon
from pipeline.ingest.stores import StoreEntry, Stores, new_token

MEBIBYTE = 1024 * 1024
SHOP = "https://shop.example"
SEARCH = minimal("search", query="shoes")
BATCH = {"events": [SEARCH]}
BODY = json.dumps(BATCH).encode()
ZIPPED = gzip.compress(BODY, mtime=0)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


def padded(size: int) -> bytes:
    """A valid body of exactly `size` bytes."""
    return BODY + b" " * (size - len(BODY))


# Request


def test_the_token_is_in_the_header_or_the_query_and_the_header_wins(wire: Any) -> None:
    ingest = wire.ingest
    query = f"?token={ingest.token}"
    assert ingest.post(BATCH, token=None, query=query).status == 204
    assert ingest.post(BATCH, token="wrong", query=query).status == 401
    assert ingest.post(BATCH, query="?token=wrong").status == 204


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/plain;charset=UTF-8", "multipart/form-data", "-"],
)
def test_any_content_type_is_read_as_json_and_accept_is_ignored(wire: Any, kind: str) -> None:
    assert len(wire.take(BATCH, content_type=kind, accept="text/html;q=0").records) == 1


def test_gzip_is_taken_in_one_member_or_several(wire: Any) -> None:
    halves = gzip.compress(BODY[:20], mtime=0) + gzip.compress(BODY[20:], mtime=0)
    for body in (gzip.compress(BODY, mtime=0), halves):
        assert len(wire.take(body, content_encoding="GZip").records) == 1
    assert len(wire.take(BODY, content_encoding="identity").records) == 1


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(ZIPPED[:-9], "gzip", id="cut"),
        pytest.param(ZIPPED + b"more", "gzip", id="more behind it"),
        pytest.param(BODY, "gzip", id="plain"),
        pytest.param(b"", "gzip", id="empty"),
        pytest.param(gzip.compress(b"", mtime=0) * 17, "gzip", id="17 members"),
        pytest.param(gzip.compress(ZIPPED, mtime=0), "gzip", id="twice"),
        pytest.param(gzip.compress(ZIPPED, mtime=0), "gzip, gzip", id="twice and said so"),
        pytest.param(BODY, "br", id="br"),
    ],
)
def test_what_is_not_as_its_encoding_says_is_422(wire: Any, body: bytes, encoding: str) -> None:
    answer = wire.ingest.post(body, content_encoding=encoding)
    assert answer.status == 422
    assert all(isinstance(error, str) for error in answer.json()["errors"])


@pytest.mark.parametrize(
    ("requested_with", "said", "channel"),
    [
        (None, None, "web"),
        (None, "app", "app"),
        ("XMLHttpRequest", "app", "app"),
        ("XMLHttpRequest", None, "web"),
        ("com.Tapcart.shop", None, "app"),
        ("FUEGO", "web", "app"),
    ],
)
def test_the_channel_is_that_of_the_app_shell_then_the_events_then_web(
    wire: Any, requested_with: str | None, said: str | None, channel: str
) -> None:
    headers = {} if requested_with is None else {"x_requested_with": requested_with}
    assert wire.one({**SEARCH, "shopping_channel": said}, **headers).shopping_channel == channel


def test_the_user_agent_and_the_edges_headers_are_kept_and_the_address_is_not(wire: Any) -> None:
    places = {"cf_ipcountry": "NZ", "cf_region": "Otago", "cf_ipcity": "Dunedin"}
    addresses = {"x_forwarded_for": "192.0.2.7", "cf_connecting_ip": "192.0.2.7"}
    ((_, value),) = wire.take(BATCH, user_agent=BROWSER, **places, **addresses).records
    request = msgspec.json.decode(value, type=Beacon).request
    assert (request.country, request.region, request.city) == ("NZ", "Otago", "Dunedin")
    assert (request.device_type, request.browser, request.os) == ("desktop", "Chrome", "Windows")
    assert not request.is_bot
    assert b"192.0.2.7" not in value
    assert b"127.0.0.1" not in value


# Answers


def test_204_is_empty_also_when_every_event_is_invalid(wire: Any) -> None:
    accepted = wire.take({"events": [{}, 3, None]})
    assert accepted.records == []
    assert [rejected.index for rejected in accepted.rejected] == [0, 1, 2]


def test_the_valid_events_of_a_batch_go_on_beside_invalid_ones(wire: Any) -> None:
    accepted = wire.take({"events": [SEARCH, {**SEARCH, "timestamp": "soon"}, SEARCH]})
    ((_, value),) = accepted.records
    assert len(msgspec.json.decode(value, type=Beacon).events) == 2
    assert [(r.index, r.reason) for r in accepted.rejected] == [(1, "invalid_value")]


@pytest.mark.parametrize("token", [None, "wrong", "", "é", "x" * 10_000])
def test_without_a_known_token_the_answer_is_401(wire: Any, token: str | None) -> None:
    headers = {} if token is None else {"x-storefront-access-token": token.encode("latin-1")}
    answer = wire.ingest.http.request("POST", wire.ingest.url, body=BODY, headers=headers)
    assert (answer.status, answer.json()) == (401, {"error": "Unauthenticated"})


@pytest.mark.parametrize("origin", ["https://other.example", "null", "https://SHOP.example", ""])
def test_an_origin_that_is_not_the_stores_is_403(wire: Any, origin: str) -> None:
    answer = wire.ingest.post(BATCH, origin=origin)
    assert (answer.status, answer.json()) == (403, {"error": "Origin not allowed"})
    assert "access-control-allow-origin" not in answer.headers


NO_BATCH = [
    b"", b"{", b"[]", b"3", b"null", b"{}", b'{"events":null}', b'{"events":[]}',
    b'{"events":{}}', b'{"events":"x"}', b'{"event":[{}]}', b'{"events":[NaN]}', b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_BATCH)
def test_what_is_no_batch_is_422_with_a_list_of_errors_and_nothing_is_written(
    wire: Any, body: bytes
) -> None:
    answer = wire.ingest.post(body)
    assert answer.status == 422
    assert list(answer.json()) == ["errors"]
    assert all(isinstance(error, str) and error for error in answer.json()["errors"])
    assert wire.publisher.published == []


def test_one_event_and_a_thousand_are_taken_and_1001_are_422(wire: Any) -> None:
    assert len(wire.take({"events": [SEARCH]}).records) == 1
    ((_, value),) = wire.take({"events": [SEARCH] * 1000}).records
    assert len(msgspec.json.decode(value, type=Beacon).events) == 1000
    answer = wire.ingest.post({"events": [SEARCH] * 1001})
    assert (answer.status, answer.json()) == (422, {"errors": ["events: 1001 of at most 1000"]})


def test_the_setting_says_how_many_events_are_too_many(settings: Settings, serve: Any) -> None:
    few = settings.model_copy(update={"max_events": 2})
    ingest = serve(few, MemoryPublisher())
    assert ingest.post({"events": [SEARCH] * 2}).status == 204
    assert ingest.post({"events": [SEARCH] * 3}).status == 422


def test_a_mebibyte_is_taken_and_a_byte_more_is_413_sent_or_inflated(wire: Any) -> None:
    wire.take(padded(MEBIBYTE))
    wire.take(gzip.compress(padded(MEBIBYTE), mtime=0), content_encoding="gzip")
    zipped = gzip.compress(BODY, mtime=0) + gzip.compress(b" " * MEBIBYTE, mtime=0)
    for answer in (
        wire.ingest.post(padded(MEBIBYTE + 1)),
        wire.ingest.post(gzip.compress(padded(MEBIBYTE + 1), mtime=0), content_encoding="gzip"),
        wire.ingest.post(zipped, content_encoding="gzip"),
    ):
        assert answer.status == 413
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
def test_another_method_is_405_with_allow(wire: Any, method: str) -> None:
    answer = wire.ingest.http.request(method, wire.ingest.url)
    assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")


class Full(MemoryPublisher):
    """Neither Kafka nor a spool."""

    def publish(self, records: list[Record], on_durable: OnDurable) -> None:
        on_durable(f"no room for {len(records)}")


# CORS


def test_a_preflight_is_204_with_all_that_a_browser_asks_for(wire: Any) -> None:
    headers = {"origin": SHOP, "access-control-request-method": "POST"}
    answer = wire.ingest.http.request("OPTIONS", wire.ingest.url, headers=headers)
    assert (answer.status, answer.data) == (204, b"")
    assert {k.lower(): v for k, v in answer.headers.items() if k.lower() != "date"} == {
        "vary": "Origin",
        "access-control-allow-origin": SHOP,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "POST, OPTIONS",
        "access-control-allow-headers": (
            "content-type, accept, x-storefront-access-token, x-requested-with, x-sdk-client"
        ),
        "access-control-max-age": "86400",
    }


def test_a_preflight_of_an_origin_that_is_nobodys_allows_nothing(wire: Any) -> None:
    headers = {"origin": "https://other.example"}
    answer = wire.ingest.http.request("OPTIONS", wire.ingest.url, headers=headers)
    assert answer.status == 204
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_the_headers_of_a_preflight_stand_on_every_answer(
    wire: Any, serve: Any, tmp_path: Any
) -> None:
    ingest = wire.ingest
    preflight = ingest.http.request("OPTIONS", ingest.url, headers={"origin": SHOP})
    wanted = {k: v for k, v in preflight.headers.items() if k.lower() != "date"}
    full = serve(Settings(_env_file=None, home=tmp_path), Full())
    stalled = {"x-storefront-access-token": ingest.token, "origin": SHOP, "content-length": "99"}
    answers = {
        204: ingest.post(BATCH, origin=SHOP),
        401: ingest.post(BATCH, token="wrong", origin=SHOP),
        405: ingest.http.request("PUT", ingest.url, headers={"origin": SHOP}),
        408: ingest.http.request("POST", ingest.url, body=b"{", headers=stalled),
        413: ingest.post(padded(MEBIBYTE + 1), origin=SHOP),
        417: ingest.post(BATCH, origin=SHOP, expect="200-ok"),
        422: ingest.post(b"{", origin=SHOP),
        503: full.post(BATCH, origin=SHOP),
    }
    for status, answer in answers.items():
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in wanted} == wanted
    assert answers[503].headers["retry-after"] == "1"
    assert ingest.post(BATCH).headers["vary"] == "Origin"


def test_a_record_says_the_stores_zone_and_whether_its_token_confirms_orders(
    settings: Settings, serve: Any
) -> None:
    tokens = [new_token() for _ in range(2)]
    entry = StoreEntry(
        tokens_sha256=[digest for _, digest in tokens],
        token_rights={tokens[1][1]: ["orders"]},
        timezone="America/St_Johns",
    )
    kept = MemoryPublisher()
    ingest = serve(settings, kept, stores=Stores({"shop": entry}))
    for token, _ in tokens:
        assert ingest.post(BATCH, token=token).status == 204
    found = [
        msgspec.json.decode(value, type=Beacon)
        for records in kept.published
        for _, value in taken(records).records
    ]
    assert [(one.timezone, one.is_trusted) for one in found] == [
        ("America/St_Johns", False),
        ("America/St_Johns", True),
    ]
