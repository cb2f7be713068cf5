"""The devices: their headers, ids and clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from pipeline.traffic import shares
from pipeline.traffic.stores import Product, SampleStore

SentEvent = dict[str, Any]

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS

_DESKTOPS = (
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/131.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/18.1 Safari/605.1.15"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
)
_PHONES = (
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
        " Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/131.0.0.0 Mobile Safari/537.36"
    ),
)
_BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " HeadlessChrome/131.0.0.0 Safari/537.36"
    ),
)
_APPS = ("com.tapcart.shop", "Fuego")
_ZONES = tuple(timezone(timedelta(minutes=minutes)) for minutes in (330, -480, 540, 60))


@dataclass
class CartLine:
    """`token` is that of the click that led here, or one that was never clicked."""

    product: Product
    variant_id: int | None
    quantity: int
    token: str | None


@dataclass
class Shopper:
    """A browser, an app or a crawler, with what it remembers between visits."""

    store: SampleStore
    headers: dict[str, str]
    stamp: Callable[[int], str | int]
    identity: SentEvent
    currency: str
    event_ids: str
    ids_as_text: bool
    is_bot: bool
    is_phone: bool
    session_id: str | None
    clock_ahead: int
    cart: list[CartLine] = field(default_factory=list)
    sent: int = 0

    def event(self, rng: Random, at: int, event_type: str, fields: SentEvent) -> SentEvent:
        """An event as this device sends it. `at` is the true time, in epoch milliseconds."""
        self.sent += 1
        event: SentEvent = {
            "event_type": event_type,
            "timestamp": self.stamp(at + self.clock_ahead),
        }
        if self.event_ids == "random":
            event["event_id"] = identifier(rng)
        elif self.event_ids == "counted":
            event["event_id"] = str(self.sent)
        event |= self.identity
        event |= fields
        return event

    def id(self, number: int) -> int | str:
        """A product or variant id as this device writes it."""
        return str(number) if self.ids_as_text else number


def random_device(rng: Random, store: SampleStore) -> Shopper:
    """A random device that visits `store`."""
    is_bot = rng.random() < shares.BOTS
    is_phone = not is_bot and rng.random() < 0.6
    headers: dict[str, str] = {}
    identity: SentEvent = {}
    if rng.random() >= shares.NO_USER_AGENT:
        agents = _BOTS if is_bot else _PHONES if is_phone else _DESKTOPS
        headers["user-agent"] = rng.choice(agents)
    country, region, city = rng.choice(store.profile.places)
    headers |= {"cf-ipcountry": country, "cf-region": region, "cf-ipcity": city}
    if is_phone and rng.random() < shares.APP / 0.6:
        headers["x-requested-with"] = rng.choice(_APPS)
    if rng.random() >= shares.WITHOUT_DEVICE_ID:
        identity["device_id"] = identifier(rng)
    if rng.random() < shares.SIGNED_IN:
        identity["customer_id"] = f"customer-{rng.randrange(100_000)}"
    elif rng.random() < 0.1:
        identity["customer_id"] = None
    if rng.random() < shares.SAYS_CHANNEL:
        identity["shopping_channel"] = rng.choice(("web", "app"))
    return Shopper(
        store=store,
        headers=headers,
        stamp=_stamp(rng),
        identity=identity,
        currency=_pick(
            rng, (shares.FOREIGN_CURRENCY, store.profile.foreign), store.profile.currency
        ),
        event_ids=_pick(
            rng,
            (shares.WITHOUT_EVENT_IDS, "none"),
            "random" if rng.random() >= shares.COUNTED_EVENT_IDS else "counted",
        ),
        ids_as_text=rng.random() < shares.IDS_AS_TEXT,
        is_bot=is_bot,
        is_phone=is_phone,
        session_id=_kept_session(rng),
        clock_ahead=_clock(rng),
    )


def identifier(rng: Random) -> str:
    """128 random bits in hexadecimal, as SDKs write them."""
    return f"{rng.getrandbits(128):032x}"


def iso(at: int, zone: timezone = UTC) -> str:
    """Epoch milliseconds as ISO 8601 with its offset."""
    return datetime.fromtimestamp(at / 1000, zone).isoformat(timespec="milliseconds")


def zulu(at: int) -> str:
    """As `iso`, with Z, as `toISOString` of browsers writes it."""
    return iso(at)[:-6] + "Z"


def _stamp(rng: Random) -> Callable[[int], str | int]:
    form = rng.random()
    if form < shares.EPOCH_MILLISECONDS:
        return int
    form -= shares.EPOCH_MILLISECONDS
    if form < shares.WITH_OFFSET:
        zone = rng.choice(_ZONES)
        return lambda at: iso(at, zone)
    if form < shares.WITH_OFFSET + shares.NAIVE:
        return lambda at: iso(at)[:-6]
    return zulu


def _kept_session(rng: Random) -> str | None:
    if rng.random() < shares.UNDEFINED_SESSION:
        return "undefined"
    return identifier(rng) if rng.random() < shares.KEEPS_SESSION_ID else None


def _clock(rng: Random) -> int:
    drawn = rng.random()
    if drawn < shares.CLOCK_A_YEAR_AHEAD:
        return YEAR_MS
    return HOUR_MS if drawn < shares.CLOCK_A_YEAR_AHEAD + shares.CLOCK_AN_HOUR_AHEAD else 0


def _pick(rng: Random, rare: tuple[float, str], common: str) -> str:
    share, value = rare
    return value if rng.random() < share else common
