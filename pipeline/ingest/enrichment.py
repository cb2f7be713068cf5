"""What a request's headers say of it; header names in lower case, never an IP address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from ua_parser import parse

from pipeline.config import Settings
from pipeline.domain.events import Request

_APPS = ("tapcart", "fuego")
_HEADLESS = ("headless", "phantomjs", "puppeteer", "playwright", "selenium")
_PREFETCH = ("purpose", "sec-purpose", "x-moz", "x-purpose")
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
    prefetch = any("prefetch" in headers.get(name, "").lower() for name in _PREFETCH)
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


@lru_cache(maxsize=65536)
def _of_user_agent(text: str) -> Request:
    if not text:
        return Request(is_bot=True)
    found = parse(text)
    browser = found.user_agent.family if found.user_agent else None
    system = found.os.family if found.os else None
    family = found.device.family if found.device else None
    lowered = text.lower()
    is_bot = family == "Spider" or any(marker in lowered for marker in _HEADLESS)
    kind: str | None
    if any(marker in lowered for marker in _TABLETS):
        kind = "tablet"
    elif "mobi" in lowered or system in ("iOS", "Android"):
        kind = "mobile"
    else:
        kind = "desktop" if system else None
    return Request(device_type=kind, browser=browser, os=system, is_bot=is_bot)
