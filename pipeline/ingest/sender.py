"""Who sends a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sender:
    """Who sends: the store, and whether it may send the past (T4)."""

    store_id: str
    may_backfill: bool = False
