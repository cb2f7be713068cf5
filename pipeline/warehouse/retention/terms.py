"""How long the warehouse keeps what, by the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pipeline.config import Settings

DAY = timedelta(days=1)
FOR_EVER = timedelta(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """From arrival on; 0 for ever."""

    duplicates: timedelta = FOR_EVER
    rejected: timedelta = FOR_EVER

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """Those of the loader."""
        return cls(settings.keep_duplicates, settings.keep_rejected)
