from __future__ import annotations

import pytest

from pipeline.ingest.enrichment import EdgeHeaders, enrich
from pipeline.ingest.files import USER_AGENT

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": ""},
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user-agent": CHROME.replace("Chrome", "HeadlessChrome")},
        {"user-agent": CHROME, "purpose": "prefetch"},
        {"user-agent": CHROME, "sec-purpose": "prefetch;prerender"},
        {"user-agent": CHROME, "x-moz": "prefetch"},
    ],
)
def test_what_no_person_sent_is_a_bot(headers: dict[str, str]) -> None:
    assert enrich(headers, EdgeHeaders()).is_bot


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
