"""The golden cases: what shops send, in which order it arrives, and what must then be true.

A family of cases is one TOML file beside this one, a case is one table of it. Times are offsets
from a moment of the case's own: "30m", "7d+1ms", "-3d-1s".
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from math import factorial
from pathlib import Path
from typing import Any

from factories import DAY, MORNING

FOLDER = Path(__file__).parent
UNITS = {"d": DAY, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
TERM = re.compile(r"([+-]?)(\d+)(d|h|ms|m|s)")
# More orders of arrival than these would only take time.
MOST_ORDERS = 6
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SERVER = "python-requests/2.32.3"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
)

FIELDS = {
    "id": "event_id",
    "type": "event_type",
    "session": "session_id",
    "device": "device_id",
    "customer": "customer_id",
    "token": "attribution_token",
    "product": "product_id",
    "variant": "variant_id",
    "collection": "collection_handle",
    "query": "query",
    "position": "position",
    "block": "block_id",
    "order": "order_id",
    "refund": "refund_id",
    "source": "marketing_source",
    "medium": "marketing_medium",
    "campaign": "marketing_campaign",
    "channel": "shopping_channel",
    "currency": "currency",
    "quantity": "quantity",
    "price": "price",
    "agent": "user_agent",
}
OF_THE_REQUEST = {
    *("at", "as", "store", "received", "lines"),
    *("bot", "server", "prefetch", "trusted", "confirmed", "zone"),
}
# What an event needs to be valid and a case has no reason to name.
NEEDED: dict[str, dict[str, Any]] = {
    "search": {"query": "shoes"},
    "autocomplete": {"query": "sho"},
    "collection_view": {"collection": "sale"},
    "block_view": {"block": "block"},
    "product_view": {"product": 1},
    "add_to_cart": {"product": 1},
    "purchase": {"product": 1},
    "refund": {"product": 1, "order": "order"},
} | {
    f"product_{name}": {"product": 1, "position": 1}
    for name in ("impression", "hover", "touch", "click")
}


def moment(text: str) -> int:
    """Milliseconds of an offset in words."""
    terms = TERM.findall(text)
    if "".join("".join(term) for term in terms) != text:
        raise ValueError(f"not a moment: {text!r}")
    return sum((-1 if sign == "-" else 1) * int(n) * UNITS[unit] for sign, n, unit in terms)


def words(ms: int) -> str:
    """The one way to say an offset, so that a failure can be read."""
    rest, said = abs(ms), []
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            said.append(f"{'-' if ms < 0 else '+'}{count}{unit}")
    return "".join(said).removeprefix("+") or "0m"


@dataclass(frozen=True)
class Case:
    """One table. `arrivals` are places in `events`; a request may hold several of them."""

    family: str
    name: str
    events: list[dict[str, Any]]
    arrivals: list[list[list[int]]]
    expected: dict[str, Any]

    @property
    def rule(self) -> str:
        return self.name.partition(":")[0]

    def is_of_the_log(self) -> bool:
        """Whether what is expected depends on what else stands in the partition."""
        return any("open" in row for row in self.expected.get("sessions", ()))

    def span(self) -> tuple[int, int]:
        """The first and last moment that is named, in ms."""
        named = [
            moment(event[name])
            for event in self.events
            for name in ("at", "received")
            if name in event
        ]
        return min(named), max(named)


def cases() -> list[Case]:
    """Every case of every file."""
    return [
        _case(path.stem, name, dict(table))
        for path in sorted(FOLDER.glob("*.toml"))
        for name, table in tomllib.loads(path.read_text()).items()
    ]


def _case(family: str, name: str, table: dict[str, Any]) -> Case:
    events = table.pop("events")
    arrival = table.pop("arrival", "given")
    given = list(range(len(events)))
    if arrival == "any":
        if factorial(len(given)) > MOST_ORDERS:
            turned = [given[place:] + given[:place] for place in given]
            orders = (turned + [order[::-1] for order in turned])[:: len(given) // 2]
        else:
            orders = [list(order) for order in permutations(given)]
        arrivals = [[[place] for place in order] for order in orders]
        # And all of it in one request, forwards and backwards.
        arrivals += [[given], [given[::-1]]]
    elif arrival == "given":
        arrivals = [[[place] for place in given]]
    else:
        arrivals = [
            [request if isinstance(request, list) else [request] for request in order]
            for order in arrival
        ]
    return Case(family, name, events, arrivals, table)


@dataclass(frozen=True)
class Run:
    """One order of arrival of one case, in stores and at a time of its own."""

    number: int
    case: Case
    arrival: list[list[int]]
    begins_at: int

    def store(self, name: str) -> str:
        return f"{self.number:04d}/{name}"

    def requests(self) -> list[dict[str, Any]]:
        """The lines of a file: recorded requests, as `pipeline local` reads them."""
        return [self._request(places) for places in self.arrival]

    def _request(self, places: list[int]) -> dict[str, Any]:
        events = [self.case.events[place] for place in places]
        first = events[0]
        received = [self.begins_at + moment(event.get("received", event["at"])) for event in events]
        request: dict[str, Any] = {
            "store": self.store(first.get("store", "shop")),
            "received_at": max(received),
            "events": [self._event(place, self.case.events[place]) for place in places],
        }
        headers = {"User-Agent": BROWSER}
        if first.get("bot"):
            headers = {"User-Agent": BOT}
        if first.get("server"):
            headers = {"User-Agent": SERVER}
        if first.get("prefetch"):
            headers["Sec-Purpose"] = "prefetch;prerender"
        request["headers"] = headers
        request |= {"timezone": first.get("zone"), "is_trusted": first.get("trusted", False)}
        request["needs_confirmation"] = first.get("confirmed", False)
        return request

    def _event(self, place: int, event: dict[str, Any]) -> dict[str, Any]:
        unknown = set(event) - set(FIELDS) - OF_THE_REQUEST
        if unknown:
            raise ValueError(f"{self.case.name}: {unknown}")
        kind = event.get("type", "product_view")
        fields = {
            "type": kind,
            "session": "session",
            "device": "device",
            # Of its place, so that events are distinct; a case about ids names its own.
            "id": f"event {place}",
            **NEEDED[kind],
            **event,
        }
        if "lines" in event:
            fields.pop("product", None)
        wire = {
            FIELDS[name]: value for name, value in fields.items() if name in FIELDS and value != ""
        }
        wire["timestamp"] = self._timestamp(event)
        if "lines" in event:
            wire["items"] = [
                {FIELDS[name]: value for name, value in line.items()} for line in event["lines"]
            ]
        if "price" in event or any("price" in line for line in event.get("lines", ())):
            wire.setdefault("currency", "USD")
        return wire

    def _timestamp(self, event: dict[str, Any]) -> int | str:
        at = self.begins_at + moment(event["at"])
        form = event.get("as", "epoch")
        if form == "epoch":
            return at
        time = datetime.fromtimestamp(at / 1000, UTC)
        if form == "naive":
            return time.replace(tzinfo=None).isoformat(timespec="milliseconds")
        if form == "Z":
            return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        hours, minutes = form.split(":")
        zone = timezone(timedelta(hours=int(hours), minutes=int(minutes)))
        return time.astimezone(zone).isoformat(timespec="milliseconds")


def runs(found: list[Case]) -> list[Run]:
    """Every order of every case. Each begins days after the one before it has ended, at the same
    hour: in one file none is late, or near another, that would not be so by itself.
    """
    found_runs = []
    free = MORNING
    for case in found:
        first, last = case.span()
        for arrival in case.arrivals:
            begins_at = free + -(-max(-first, 0) // DAY) * DAY
            found_runs.append(Run(len(found_runs), case, arrival, begins_at))
            free = begins_at + -(-max(last, 0) // DAY) * DAY + 11 * DAY
    return found_runs
