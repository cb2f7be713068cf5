"""What strangers send may be long: little of it is parsed, and none of it is remembered."""

# ruff: noqa: SLF001  # what is remembered shows nowhere else
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.http import parser
from pipeline.http.limits import BodyBudget
from pipeline.ingest import beacon, cors, enrichment, stores
from pipeline.ingest.enrichment import EdgeHeaders, enrich

LONG = "x" * 30_000


@pytest.mark.parametrize(
    ("use", "function"),
    [
        (lambda text: cors.cors(f"https://{text}"), cors.cors),
        (lambda text: parser.target_of(f"/{text}".encode()), parser.target_of),
        (lambda text: stores.Stores({}).by_token(text, at=0), stores._digest),
    ],
    ids=["origin", "target", "token"],
)
def test_what_is_long_is_not_remembered(use: Callable[[str], object], function: Any) -> None:
    cache = function.__wrapped__
    cache.cache_clear()
    assert use(LONG) == use(LONG)
    assert cache.cache_info().currsize == 0
    use("short")
    assert cache.cache_info().currsize == 1


@pytest.mark.parametrize("name", ["x-country", "x-region", "x-city"])
def test_a_long_name_of_a_place_is_read_and_not_remembered(name: str) -> None:
    edge = EdgeHeaders("x-country", "x-region", "x-city")
    cache = enrichment._request
    cache.cache_clear()
    found = enrich({"user-agent": LONG, name: LONG}, edge)
    assert getattr(found, name[2:]) == LONG[:1024]
    assert cache.cache_info().currsize == 0
    enrich({"user-agent": LONG, name: LONG[:256]}, edge)
    assert cache.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("query", "token"),
    [
        (b"token=a%2Bb+c&token=d", "a+b c"),
        (b"x=1&token=&token=d", "d"),
        (b"tokens=a", ""),
        (b"token", ""),
        (b"a=b&" * 250 + b"token=d", "d"),
        (b"a=b&" * 256 + b"token=d", ""),
    ],
)
def test_a_token_is_looked_for_at_the_beginning_of_a_query(query: bytes, token: str) -> None:
    exchange = beacon.Exchange(lambda: None, BodyBudget(0))
    exchange.query = query
    assert beacon.token_of(exchange) == token


@pytest.mark.parametrize(("before", "is_read"), [(512 - len("Firefox/115.0"), True), (512, False)])
def test_of_a_user_agent_the_beginning_is_read(before: int, *, is_read: bool) -> None:
    edge = EdgeHeaders.of(Settings(_env_file=None))
    found = enrich({"user-agent": " " * before + "Firefox/115.0"}, edge)
    assert (found.browser == "Firefox") is is_read
