"""How a request is taken, over HTTP and from a file alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config import Settings
from pipeline.ingest.accept import MAX_EVENTS, Accepted, accept
from pipeline.ingest.enrichment import EdgeHeaders, enrich, is_app
from pipeline.ingest.sender import Sender


@dataclass(frozen=True)
class Intake:
    """What the settings say of it: the headers of the edge, and how many events are too many."""

    edge: EdgeHeaders = field(default_factory=EdgeHeaders)
    max_events: int = MAX_EVENTS

    @classmethod
    def of(cls, settings: Settings) -> Intake:
        """As configured."""
        return cls(EdgeHeaders.of(settings), settings.max_events)

    def take(
        self, body: bytes, *, headers: Mapping[str, str], sender: Sender, received_at: int
    ) -> Accepted:
        """Every event of `body`, valid or refused. Raises `BadBodyError`.

        Names of `headers` are in lower case; `received_at` is epoch ms.
        """
        return accept(
            body,
            sender=sender,
            request=enrich(headers, self.edge),
            is_app=is_app(headers),
            received_at=received_at,
            max_events=self.max_events,
        )
