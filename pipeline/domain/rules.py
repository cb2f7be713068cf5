"""The settings that rules read, and the hash that a log, a state and a warehouse must share."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec

from pipeline.domain.timestamps import MILLISECOND

# Raise it whenever the same records and settings could now give other outcomes: every worker and
# loader then refuses the older state instead of mixing two meanings in one table. Types and ranks
# of events are in the digest by themselves.
STREAM_VERSION = 5
# Raise it whenever the same outcomes could now give other tables (A7-A9, A11, B, K, P3, T10): the
# loader refuses the older warehouse, and no worker loses its state.
WAREHOUSE_VERSION = 1


def era(digest: str, adoptions: int) -> str:
    """What outcomes and states name: the digest of their rules, after so many adoptions.

    Rules that are adopted again later begin an era of their own: the states of the first one lack
    what came between.
    """
    if adoptions == 0:
        return digest
    return hashlib.sha256(f"{digest} {adoptions}".encode()).hexdigest()[:16]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Gap (S2), lookback (A3) and lateness (T7); every process of one pipeline has the same.

    `most_keys`, and `most_rows` of sessions, touches and conversions, are what one device's state
    may hold: its record in the changelog, and an outcome that restates all of it, stay below
    Kafka's limit. `most_claims` bounds the pairs of a touch and a conversion in it, and so the work
    of restating them; `most_touches` is the length of a path (A5, decision 0021). The half-life
    (A7) is read by views alone, and no part of the digest.
    """

    gap: timedelta = timedelta(minutes=30)
    lookback: timedelta = timedelta(days=7)
    lateness: timedelta = timedelta(hours=72)
    half_life: timedelta = timedelta(days=7)
    most_keys: int = 20_000
    most_rows: int = 500
    most_claims: int = 5_000
    most_touches: int = 50

    # Whole milliseconds, the unit of every time on the wire; a property per look-up would be
    # paid for each event.
    gap_ms: int = 0
    lookback_ms: int = 0
    lateness_ms: int = 0

    def __post_init__(self) -> None:
        for name in ("gap", "lookback", "lateness", "half_life"):
            span: timedelta = getattr(self, name)
            if span <= timedelta(0):
                msg = f"{name} must be longer than nothing, not {span}"
                raise ValueError(msg)
        for name in ("gap", "lookback", "lateness"):
            msgspec.structs.force_setattr(self, f"{name}_ms", getattr(self, name) // MILLISECOND)

    def digest(self) -> str:
        """16 hexadecimal digits that differ whenever the stream could give other outcomes."""
        # Commands that ask for no digest start without the models.
        from pipeline.domain.catalog import RANK  # noqa: PLC0415

        # In order: a session has its counts by place.
        types = ",".join(f"{name}:{rank}" for name, rank in RANK.items())
        text = (
            f"{STREAM_VERSION} {types} {self.gap_ms} {self.lookback_ms} {self.lateness_ms}"
            f" {self.most_keys} {self.most_rows} {self.most_claims} {self.most_touches}"
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def warehouse_digest(self) -> str:
        """16 hexadecimal digits that differ whenever outcomes could give other tables."""
        return hashlib.sha256(f"warehouse {WAREHOUSE_VERSION}".encode()).hexdigest()[:16]
