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
# What parsing a header costs, and what remembering one takes, must have a bound: a hostile client
# has as many as it likes.
_LONGEST = 1024
_LONGEST_AGENT = 512
# Characters of all that is remembered of one: a browser's, and the names of its place.
_LONGEST_REMEMBERED = 768
_REMEMBERED = 8192
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

    def read(self) -> frozenset[str]:
        """Names of all headers that tell of a request, these among them."""
        own = filter(None, (self.country, self.region, self.city))
        return frozenset({"user-agent", "x-requested-with", *_PURPOSES, *own})


def enrich(headers: Mapping[str, str], edge: EdgeHeaders) -> Request:
    """The request's facts. A missing or crawling User-Agent, or a prefetch, is a bot."""
    get = headers.get
    agent = get("user-agent", "")[:_LONGEST_AGENT]
    country = get(edge.country, "")[:_LONGEST]
    region = get(edge.region, "")[:_LONGEST]
    city = get(edge.city, "")[:_LONGEST]
    length = len(agent) + len(country) + len(region) + len(city)
    make = _request if length <= _LONGEST_REMEMBERED else _request.__wrapped__
    request = make(agent, country, region, city)
    purpose = "".join([get(name, "") for name in _PURPOSES]).lower()
    if purpose and any(word in purpose for word in _AHEAD):
        return msgspec.structs.replace(request, is_bot=True)
    return request


def warm_up() -> None:
    """Read the lists of agents, which takes a seventh of a second, before a request has to."""
    _of_user_agent("Mozilla/5.0")


def is_app(headers: Mapping[str, str]) -> bool:
    """Whether X-Requested-With names one of the app shells."""
    wanted = headers.get("x-requested-with")
    return wanted is not None and any(name in wanted.lower() for name in _APPS)


# A visitor's requests are all alike.
@lru_cache(maxsize=_REMEMBERED)
def _request(agent: str, country: str, region: str, city: str) -> Request:
    return msgspec.structs.replace(
        _of_user_agent(agent),
        country=country or None,
        region=region or None,
        city=city or None,
    )


@lru_cache(maxsize=_REMEMBERED)
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
    elif system == "Android" and "mobi" not in lowered and "dalvik" not in lowered:
        # Chrome's own rule: a tablet is an Android that does not say Mobile. Dalvik, an app's own
        # client, says it of no device: most are phones.
        kind = "tablet"
    elif "mobi" in lowered or system in {"Android", "iOS"}:
        kind = "mobile"
    else:
        kind = "desktop" if system else None
    return Request(device_type=kind, browser=browser, os=system, is_bot=is_bot)
