"""Who sends a request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import available_timezones

DEFAULT_ZONE = "UTC"


@dataclass(frozen=True)
class Sender:
    """The store, its time zone (an IANA name, T10), and the rights of the token.

    `may_backfill`: may send the past (T4). `is_trusted`: its orders are confirmed (A11).
    """

    store_id: str
    may_backfill: bool = False
    timezone: str = DEFAULT_ZONE
    is_trusted: bool = False


def checked_zone(name: str) -> str:
    """`name`, an IANA time zone. Raises ValueError for any other."""
    if name != DEFAULT_ZONE and name not in _zones():
        raise ValueError(f"{name!r} is no IANA time zone, as Europe/Berlin is")
    return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # A machine's own zone has another meaning on the next one.
    return frozenset(available_timezones() - {"localtime"})
