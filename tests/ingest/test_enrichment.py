from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline.ingest.enrichment import EdgeHeaders, enrich
from pipeline.replay.files import USER_AGENT

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


FILE = Path(__file__).parent / "user_agents.toml"
CASES = tomllib.loads(FILE.read_text())


@pytest.mark.parametrize("agent", CASES["bots"])
def test_what_no_person_uses_is_a_bot(agent: str) -> None:
    assert enrich({"user-agent": agent}, EdgeHeaders()).is_bot


@pytest.mark.parametrize(("device", "browser", "system", "agent"), CASES["people"])
def test_what_a_person_uses_is_told_apart(
    device: str, browser: str, system: str, agent: str
) -> None:
    facts = enrich({"user-agent": agent}, EdgeHeaders())
    assert (facts.device_type, facts.browser, facts.os) == (device, browser, system)
    assert not facts.is_bot


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
def test_what_nobody_has_seen_yet_is_a_bots(headers: dict[str, str]) -> None:
    assert enrich({"user-agent": CHROME, **headers}, EdgeHeaders()).is_bot


def test_a_browser_is_none_and_a_line_of_a_file_without_headers_neither() -> None:
    facts = enrich({"user-agent": CHROME}, EdgeHeaders())
    assert (facts.device_type, facts.browser, facts.os) == ("desktop", "Chrome", "Windows")
    assert not facts.is_bot
    assert not enrich({"user-agent": USER_AGENT}, EdgeHeaders()).is_bot


def test_the_place_comes_from_the_configured_headers_only() -> None:
    headers = {"user-agent": CHROME, "cf-ipcountry": "NZ", "x-forwarded-for": "192.0.2.1"}
    assert enrich(headers, EdgeHeaders()).country is None
    facts = enrich(headers, EdgeHeaders(country="cf-ipcountry"))
    assert (facts.country, facts.region, facts.city) == ("NZ", None, None)


def test_a_crawler_is_a_bot_wherever_it_comes_from() -> None:
    headers = {"user-agent": "Googlebot/2.1", "cf-ipcountry": "US"}
    assert enrich(headers, EdgeHeaders(country="cf-ipcountry")).is_bot
