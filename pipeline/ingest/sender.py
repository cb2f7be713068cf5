"""Who sends a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "UTC"
# Files beside the zones. They differ between machines, and DuckDB does not know them.
_OF_THE_MACHINE = re.compile(r"localtime$|posixrules$|posix/|right/")


@dataclass(frozen=True)
class Sender:
    """The store, its time zone (an IANA name, T10), and the rights of the token.

    `may_backfill`: may send the past (T4). `is_trusted`: its orders are confirmed;
    `needs_confirmation`: those of another token of the store are (A11).
    """

    store_id: str
    may_backfill: bool = False
    timezone: str = DEFAULT_ZONE
    is_trusted: bool = False
    needs_confirmation: bool = False


def checked_zone(name: str) -> str:
    """`name`, an IANA time zone. Raises ValueError for any other."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        is_zone = False
    else:
        is_zone = not _OF_THE_MACHINE.match(name)
    if not is_zone:
        raise ValueError(f"{name!r} is no IANA time zone, as Europe/Berlin is")
    return name
