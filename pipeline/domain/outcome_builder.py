"""Collects what one record changes, and turns it into the rows of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.domain.attribution import (
    Attribution,
    Conversion,
    Touch,
    attribution_of,
    conversion_key,
)
from pipeline.domain.outcomes import ConversionRow, Place, SessionGone, SessionRow, TouchRow
from pipeline.domain.sessions import (
    Campaign,
    Entry,
    LandingProduct,
    LandingToken,
    Session,
    session_key,
)


@dataclass(slots=True)
class OutcomeBuilder:
    """Sessions and conversions as the record leaves them; `gone` are replaced earlier rows."""

    sessions: list[Session] = field(default_factory=list)
    gone: list[Session] = field(default_factory=list)
    conversions: dict[str, Conversion] = field(default_factory=dict)

    def session(self, session: Session, replaced: list[Session]) -> None:
        """Put `session` in the place of `replaced`."""
        for old in replaced:
            # By identity: a session that this record created was never a row.
            own = [index for index, made in enumerate(self.sessions) if made is old]
            if own:
                del self.sessions[own[0]]
            else:
                self.gone.append(old)
        self.sessions.append(session)

    def conversion(self, conversion: Conversion) -> None:
        """Add a conversion that is new or may have another path."""
        self.conversions[conversion_key(conversion)] = conversion

    def session_rows(self, prefix: bytes) -> tuple[list[SessionRow], list[SessionGone]]:
        """Current rows, and rows that vanish because their start has moved (S4)."""
        rows = [_session_row(prefix, session) for session in self.sessions]
        kept = {(session.session_id, session.started_at) for session in self.sessions}
        gone = [
            SessionGone(session_key(prefix, old), old.started_at)
            for old in self.gone
            if (old.session_id, old.started_at) not in kept
        ]
        return rows, gone

    def conversion_rows(
        self, touches: Sequence[Touch], *, lookback_ms: int, most_touches: int
    ) -> tuple[list[ConversionRow], list[TouchRow]]:
        """Conversions, each path as indexes into the returned list of touches."""
        places: dict[Touch, int] = {}
        rows = []
        for key, conversion in self.conversions.items():
            found = attribution_of(
                conversion, touches, lookback_ms=lookback_ms, most_touches=most_touches
            )
            path = [places.setdefault(touch, len(places)) for touch in found.path]
            rows.append(_conversion_row(key, conversion, found, path))
        return rows, [
            TouchRow(
                touch.touched_at,
                touch.attribution_token,
                touch.product_id,
                touch.event_key.hex(),
            )
            for touch in places
        ]


def _session_row(prefix: bytes, session: Session) -> SessionRow:
    entry, campaign = session.entry, session.campaign
    return SessionRow(
        session_key=session_key(prefix, session),
        session_id=session.session_id,
        started_at=session.started_at,
        ended_at=session.ended_at,
        events=sum(session.counts),
        counts=session.counts,
        first_event_type=entry.event_type,
        first_event_key=entry.order[2].hex(),
        entry_collection=entry.collection,
        entry_query=entry.query,
        entry_product_id=entry.product_id,
        marketing_source=campaign.source if campaign else None,
        marketing_medium=campaign.medium if campaign else None,
        marketing_campaign=campaign.campaign if campaign else None,
        shopping_channel=entry.shopping_channel,
        device_type=entry.device_type,
        browser=entry.browser,
        country=entry.country,
        landing_token=session.landing_token.named if session.landing_token else None,
        landing_product_id=session.landing_product.named if session.landing_product else None,
        is_bot=session.is_bot,
        is_report=session.is_report,
        marketing_event=_after(entry, campaign),
        landing_token_event=_after(entry, session.landing_token),
        landing_product_event=_after(entry, session.landing_product),
    )


def _after(entry: Entry, named: Campaign | LandingToken | LandingProduct | None) -> Place | None:
    if named is None or named.order == entry.order:
        return None
    at, rank, key = named.order
    return at, rank, key.hex()


def _conversion_row(
    key: str, conversion: Conversion, attribution: Attribution, path: list[int]
) -> ConversionRow:
    return ConversionRow(
        conversion_key=key,
        event_key=conversion.event_key.hex(),
        line=conversion.line,
        conversion_type=conversion.conversion_type,
        occurred_at=conversion.occurred_at,
        session_id=conversion.session_id,
        product_id=conversion.product_id,
        variant_id=conversion.variant_id,
        quantity=conversion.quantity,
        revenue=conversion.revenue,
        currency=conversion.currency,
        match=attribution.match,
        attribution_token=conversion.attribution_token,
        is_bot=conversion.is_bot,
        path=path,
    )
