"""How a request is taken, over HTTP and from a file alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config import Settings
from pipeline.ingest.accept import Accepted, accept
from pipeline.ingest.enrichment import EdgeHeaders, enrich, is_app
from pipeline.ingest.sender import Sender


@dataclass(frozen=True)
class Intake:
    """What the settings say of it: the headers of the edge."""

    edge: EdgeHeaders = field(default_factory=EdgeHeaders)

    @classmethod
    def of(cls, settings: Settings) -> Intake:
        """As configured."""
        return cls(EdgeHeaders.of(settings))

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
        )
