"""What headers say of a request and its visitor (P1); names in lower case, never an IP address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import parse

from pipeline.config import Settings
from pipeline.domain.events import Request, Visitor

_APPS = ("tapcart", "fuego")
# Headless browsers, site monitors and scrapers that the list of crawlers lacks or calls a library.
_MACHINES = (
    *("headless", "phantomjs", "puppeteer", "playwright", "selenium", "cypress"),
    *("synthetic", "scrapy", "httrack", "crawl"),
)
# Shop systems and automations that send webhooks; the list calls them crawlers.
_WEBHOOKS = (
    *("shopify-captain-hook", "wordpress/", "stripe/", "zapier", "klaviyo/", "make/"),
    "salesforce",
)
_BROWSERS = ("Mozilla/", "Opera/")
# Calls itself a browser in the desktop app alone; the link preview does not.
_CHAT_APP = "whatsapp/"
_CALLED_BOT = ("bot", "spider")
_LIBRARY = "http-library"
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
        """Names of all headers that enrich a request, these included."""
        own = filter(None, (self.country, self.region, self.city))
        return frozenset({"user-agent", "x-requested-with", *_PURPOSES, *own})


def enrich(headers: Mapping[str, str], edge: EdgeHeaders) -> Request:
    """The request's facts."""
    get = headers.get
    agent = get("user-agent", "")[:_LONGEST_AGENT]
    country = get(edge.country, "")[:_LONGEST]
    region = get(edge.region, "")[:_LONGEST]
    city = get(edge.city, "")[:_LONGEST]
    length = len(agent) + len(country) + len(region) + len(city)
    make = _request if length <= _LONGEST_REMEMBERED else _request.__wrapped__
    request = make(agent, is_app(headers), country, region, city)
    purpose = "".join([get(name, "") for name in _PURPOSES]).lower()
    if purpose and any(word in purpose for word in _AHEAD):
        return msgspec.structs.replace(request, is_prefetch=True)
    return request


def warm_up() -> None:
    """Read the lists of agents, which takes a seventh of a second, before a request has to."""
    visitor_of("Mozilla/5.0")


def is_app(headers: Mapping[str, str]) -> bool:
    """Whether X-Requested-With names one of the app shells."""
    wanted = headers.get("x-requested-with")
    return wanted is not None and any(name in wanted.lower() for name in _APPS)


# A visitor's requests are all alike.
@lru_cache(maxsize=_REMEMBERED)
def _request(agent: str, app: bool, country: str, region: str, city: str) -> Request:  # noqa: FBT001
    visitor = visitor_of(agent)
    return Request(
        device_type=visitor.device_type,
        browser=visitor.browser,
        os=visitor.os,
        is_bot=visitor.is_bot,
        is_server=not app and not _names_browser(agent),
        country=_place(country),
        region=_place(region),
        city=_place(city),
    )


def _place(text: str) -> str | None:
    """An edge header's value: percent-decoded, UTF-8 where it is valid, else Latin-1."""
    try:
        data = unquote_to_bytes(text.encode("latin-1"))
    except UnicodeEncodeError:  # a recorded request's, which is text already
        data = unquote_to_bytes(text)
    try:
        return data.decode() or None
    except UnicodeDecodeError:
        return data.decode("latin-1")


@lru_cache(maxsize=_REMEMBERED)
def visitor_of(agent: str) -> Visitor:
    """What a User-Agent of at most 512 characters says of the visitor."""
    if not agent:
        return Visitor()
    found = parse(agent)
    browser = found.user_agent.family if found.user_agent else None
    system = found.os.family if found.os else None
    family = found.device.family if found.device else None
    lowered = agent.lower()
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
    is_bot = _is_bot(agent, lowered, is_spider=family == "Spider")
    return Visitor(device_type=kind, browser=browser, os=system, is_bot=is_bot)


def _names_browser(agent: str) -> bool:
    return agent.startswith("[FB") or any(name in agent for name in _BROWSERS)


def _is_bot(agent: str, lowered: str, *, is_spider: bool) -> bool:
    """Whether it is a crawler's or a headless browser's. `is_spider`: the parser says so."""
    if any(marker in lowered for marker in _MACHINES):
        return True
    is_browser = _names_browser(agent)
    if (_CHAT_APP in lowered) if is_browser else any(name in lowered for name in _WEBHOOKS):
        return False
    # To the parser libraries are spiders too; they say neither Mozilla nor bot.
    if is_spider and (is_browser or any(word in lowered for word in _CALLED_BOT)):
        return True
    return any(pattern.search(agent) for pattern in _crawlers())


@lru_cache(maxsize=1)
def _crawlers() -> list[re.Pattern[str]]:
    patterns = [
        entry["pattern"]
        for entry in CRAWLER_USER_AGENTS_DATA
        if _LIBRARY not in entry.get("tags", ())
    ]
    # One expression of them all takes longer to search than many of some.
    return [re.compile("|".join(patterns[i : i + 25])) for i in range(0, len(patterns), 25)]
