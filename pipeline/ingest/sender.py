"""Who sends a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sender:
    """The store, its time zone (an IANA name, T10), and the rights of the token.

    `may_backfill`: may send the past (T4). `is_trusted`: its orders are confirmed (A11).
    """

    store_id: str
    may_backfill: bool = False
    timezone: str = "UTC"
    is_trusted: bool = False
