"""What a request's headers say of it; header names in lower case, never an IP address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from crawleruseragents import is_crawler
from ua_parser import parse

from pipeline.config import Settings
from pipeline.domain.events import Request

_APPS = ("tapcart", "fuego")
# What drives a browser or watches a site, where the lists of crawlers have no entry for it.
_MACHINES = (
    *("headless", "phantomjs", "puppeteer", "playwright", "selenium", "cypress"),
    *("postmanruntime", "synthetic"),
)
_PURPOSES = ("purpose", "sec-purpose", "x-moz", "x-purpose")
_AHEAD = ("prefetch", "prerender", "preview")
# Each costs up to two kilobytes, and a hostile client has as many as it likes.
_REMEMBERED_AGENTS = 8192
_TABLETS = ("ipad", "tablet", "kindle")


@dataclass(frozen=True)
class EdgeHeaders:
    """Names of the headers in which the edge says where a request comes from; "" for none."""

    country: str = ""
    region: str = ""
    city: str = ""

    @classmethod
    def of(cls, settings: Settings) -> EdgeHeaders:
        """As configured."""
        return cls(
            settings.country_header.lower(),
            settings.region_header.lower(),
            settings.city_header.lower(),
        )


def enrich(headers: Mapping[str, str], edge: EdgeHeaders) -> Request:
    """The request's facts. A missing or crawling User-Agent, or a prefetch, is a bot."""
    request = _of_user_agent(headers.get("user-agent", ""))
    purpose = "".join([headers.get(name, "") for name in _PURPOSES]).lower()
    prefetch = any(word in purpose for word in _AHEAD)
    places = {
        "country": headers.get(edge.country) if edge.country else None,
        "region": headers.get(edge.region) if edge.region else None,
        "city": headers.get(edge.city) if edge.city else None,
    }
    if not prefetch and not any(places.values()):
        return request
    return msgspec.structs.replace(request, is_bot=request.is_bot or prefetch, **places)


def is_app(headers: Mapping[str, str]) -> bool:
    """Whether X-Requested-With names one of the app shells."""
    wanted = headers.get("x-requested-with", "").lower()
    return any(name in wanted for name in _APPS)


@lru_cache(maxsize=_REMEMBERED_AGENTS)
def _of_user_agent(text: str) -> Request:
    if not text:
        return Request(is_bot=True)
    found = parse(text)
    browser = found.user_agent.family if found.user_agent else None
    system = found.os.family if found.os else None
    family = found.device.family if found.device else None
    lowered = text.lower()
    is_bot = (
        family == "Spider" or is_crawler(text) or any(marker in lowered for marker in _MACHINES)
    )
    kind: str | None
    if any(marker in lowered for marker in _TABLETS):
        kind = "tablet"
    elif system == "Android" and "mobi" not in lowered:
        # Chrome's own rule: a tablet is an Android that does not say Mobile.
        kind = "tablet"
    elif "mobi" in lowered or system == "iOS":
        kind = "mobile"
    else:
        kind = "desktop" if system else None
    return Request(device_type=kind, browser=browser, os=system, is_bot=is_bot)
