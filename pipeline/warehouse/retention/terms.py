"""How long the warehouse keeps what, by the settings; and which terms would lose something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pipeline.config import Settings, duration
from pipeline.warehouse.database import DatabaseError

DAY = timedelta(days=1)
FOR_EVER = timedelta(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """Each 0 for ever. Of duplicates and rejected events from arrival on, else by stream time."""

    duplicates: timedelta = FOR_EVER
    rejected: timedelta = FOR_EVER
    derived: timedelta = FOR_EVER
    events: timedelta = FOR_EVER

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """Raises `DatabaseError` where a term is shorter than what the rules need."""
        rules, derived = settings.rules, settings.keep_derived
        # An event may be on time until then, and the workers hold what it changes.
        least = rules.lateness + rules.lookback + rules.gap
        if FOR_EVER < derived < least:
            raise DatabaseError(
                f"PIPELINE_KEEP_DERIVED={duration(derived)} is too short: it must be at least"
                f" {duration(least)}, which is lateness, lookback and gap together, or"
                " 0 to keep all"
            )
        events, least = settings.keep_events, derived + rules.lookback + DAY
        if events and not derived:
            raise DatabaseError(
                "PIPELINE_KEEP_EVENTS is set, but PIPELINE_KEEP_DERIVED=0 keeps what is made of"
                " events for ever: set both, or neither"
            )
        if FOR_EVER < events < least:
            raise DatabaseError(
                f"PIPELINE_KEEP_EVENTS={duration(events)} is too short: it must be at least"
                f" {duration(least)}, which is PIPELINE_KEEP_DERIVED, lookback and a day"
                " together, or 0 to keep all"
            )
        return cls(settings.keep_duplicates, settings.keep_rejected, derived, events)
