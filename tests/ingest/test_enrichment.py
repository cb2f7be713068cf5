from __future__ import annotations

import json
import tomllib
from pathlib import Path

import duckdb
import pytest
from ingest.wire_cases import NOW_MS, minimal

from pipeline.domain.events import Request
from pipeline.domain.rules import Rules
from pipeline.ingest.enrichment import EdgeHeaders, enrich, visitor_of
from pipeline.replay.files import USER_AGENT
from pipeline.replay.local import replay

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
ORDER = minimal("purchase", currency="EUR", items=[{"product_id": 1, "price": "5"}])

FILE = Path(__file__).parent / "user_agents.toml"
CASES = tomllib.loads(FILE.read_text())


@pytest.mark.parametrize("agent", CASES["bots"])
def test_a_crawler_or_a_headless_browser_is_a_bot(agent: str) -> None:
    assert enrich({"user-agent": agent}, EdgeHeaders()).is_bot
    assert visitor_of(agent).is_bot


@pytest.mark.parametrize(("device", "browser", "system", "agent"), CASES["people"])
def test_a_persons_browser_is_described(device: str, browser: str, system: str, agent: str) -> None:
    facts = enrich({"user-agent": agent}, EdgeHeaders())
    found = (facts.device_type or "", facts.browser or "", facts.os or "")
    assert found == (device, browser, system)
    assert (facts.is_bot, facts.is_server) == (False, False)


@pytest.mark.parametrize(("device", "browser", "system", "agent"), CASES["apps"])
@pytest.mark.parametrize("name", ["tapcart", "com.Fuego.shop"])
def test_an_apps_own_client_is_a_person_and_no_server(
    device: str, browser: str, system: str, agent: str, name: str
) -> None:
    facts = enrich({"user-agent": agent, "x-requested-with": name}, EdgeHeaders())
    found = (facts.device_type or "", facts.browser or "", facts.os or "")
    assert found == (device, browser, system)
    assert (facts.is_bot, facts.is_server) == (False, False)
    assert enrich({"user-agent": agent}, EdgeHeaders()).is_server


@pytest.mark.parametrize("agent", CASES["servers"])
def test_a_library_is_a_server_and_no_bot(agent: str) -> None:
    facts = enrich({"user-agent": agent}, EdgeHeaders())
    assert (facts.is_bot, facts.is_server) == (False, True)
    assert not visitor_of(agent).is_bot


def test_without_a_user_agent_a_server_sends() -> None:
    assert enrich({}, EdgeHeaders()) == Request(is_server=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"sec-purpose": "prefetch;anonymous-client-ip"},
        {"x-purpose": "preview"},
        {"x-moz": "Prefetch"},
    ],
)
def test_a_page_fetched_ahead_is_a_prefetch_and_no_bots(headers: dict[str, str]) -> None:
    facts = enrich({"user-agent": CHROME, **headers}, EdgeHeaders())
    assert (facts.is_prefetch, facts.is_bot) == (True, False)


def test_a_line_of_a_file_without_headers_is_neither_a_bots_nor_a_servers() -> None:
    facts = enrich({"user-agent": USER_AGENT}, EdgeHeaders())
    assert (facts.is_bot, facts.is_server, facts.is_prefetch) == (False, False, False)


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ("Zürich", "Zürich"),  # Latin-1
        ("Zürich".encode().decode("latin-1"), "Zürich"),
        ("Z%C3%BCrich", "Zürich"),
        ("Z%FCrich", "Zürich"),
        ("S%C3%A3o%20Paulo", "São Paulo"),
        ("東京", "東京"),  # of a recorded request
        ("100%", "100%"),
        ("", None),
    ],
)
def test_a_place_is_read_in_the_spellings_of_edges(sent: str, place: str | None) -> None:
    assert enrich({"x-city": sent}, EdgeHeaders(city="x-city")).city == place


def test_the_same_order_counts_the_same_from_every_library(tmp_path: Path) -> None:
    agents = {str(number): agent for number, agent in enumerate(CASES["servers"])}
    assert len(agents) > 8
    lines = [
        {
            "events": [{**ORDER, "order_id": f"o{number}"} for number in range(2)],
            "store": store,
            "received_at": NOW_MS,
            "headers": {"User-Agent": agent},
        }
        for store, agent in agents.items()
    ]
    file = tmp_path / "orders.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    replay([str(file)], database=tmp_path / "orders.duckdb", rules=Rules())
    with duckdb.connect(tmp_path / "orders.duckdb", read_only=True) as connection:
        found = connection.execute(
            "SELECT store_id, CAST(sum(gross_revenue) AS VARCHAR) FROM revenue GROUP BY 1"
        ).fetchall()
    assert dict(found) == dict.fromkeys(agents, "10.0000")


def test_the_place_comes_from_the_configured_headers_only() -> None:
    headers = {"user-agent": CHROME, "cf-ipcountry": "NZ", "x-forwarded-for": "192.0.2.1"}
    assert enrich(headers, EdgeHeaders()).country is None
    facts = enrich(headers, EdgeHeaders(country="cf-ipcountry"))
    assert (facts.country, facts.region, facts.city) == ("NZ", None, None)


def test_a_crawler_is_a_bot_wherever_it_comes_from() -> None:
    headers = {"user-agent": "Googlebot/2.1", "cf-ipcountry": "US"}
    assert enrich(headers, EdgeHeaders(country="cf-ipcountry")).is_bot
