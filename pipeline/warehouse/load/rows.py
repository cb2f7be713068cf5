"""Domain values as rows of the staging tables."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from pipeline.domain.events import Event, visitor_of
from pipeline.domain.identity import FINGERPRINT_DIGITS
from pipeline.domain.outcomes import ConversionRow, Outcome, Place, SessionRow
from pipeline.warehouse.load.columns import (
    CONVERSIONS,
    EVENT_FIELDS,
    PLACE_FIELDS,
    REQUEST_FIELDS,
    VISITOR_FIELDS,
    Row,
)

_event = attrgetter(*EVENT_FIELDS)
_visitor = attrgetter(*VISITOR_FIELDS)
_request = attrgetter(*REQUEST_FIELDS)
_conversion = attrgetter(*CONVERSIONS.names[2:16])


def event_row(event: Event, outcome: Outcome, *, is_late: bool, place: int) -> Row:
    """A row of `in_events`; `place` is its position in the batch."""
    items = None
    if event.items is not None:
        items = [
            {
                "product_id": line.product_id,
                "variant_id": line.variant_id,
                "quantity": line.quantity,
                "price": line.price,
                "attribution_token": line.attribution_token,
            }
            for line in event.items
        ]
    return (
        *_event(event),
        items,
        # A UUID, as the keys are. An earlier ingest, whose spool may be sent now, wrote 64 digits.
        event.fingerprint[:FINGERPRINT_DIGITS],
        _extra(event),
        event.repairs or None,
        outcome.is_trusted,
        outcome.needs_confirmation,
        outcome.store_id,
        outcome.received_at,
        outcome.device_key,
        *_visitor(visitor_of(event, outcome.request)),
        *_request(outcome.request),
        is_late,
        outcome.origin.partition,
        outcome.origin.offset,
        place,
    )


def _extra(event: Event) -> str | None:
    """The JSON object of what no column holds, None where there is nothing."""
    extra, context = bytes(event.extra), bytes(event.contextual_data)
    if not context:
        return extra.decode() or None
    rest = b"," + extra[1:] if extra not in (b"", b"{}") else b"}"
    return (b'{"contextual_data":' + context + rest).decode()


def session_row(session: SessionRow, outcome: Outcome) -> Row:
    """A row of `in_sessions`; the warehouse sets `has_converted`, `orders` and `is_open`.

    The stream's sessions hold no late event (T7).
    """
    return (
        outcome.store_id,
        outcome.origin.partition,
        outcome.device_key,
        session.session_key,
        session.session_id,
        session.started_at,
        session.ended_at,
        session.ended_at - session.started_at,
        session.events,
        *session.counts,
        session.first_event_type,
        session.entry_collection,
        session.entry_query,
        session.entry_product_id,
        session.marketing_source,
        session.marketing_medium,
        session.marketing_campaign,
        session.shopping_channel,
        session.device_type,
        session.browser,
        session.country,
        session.landing_token,
        session.landing_product_id,
        session.is_bot,
        session.is_report,
        session.first_event_key,
        _place(session.marketing_event),
        _place(session.landing_token_event),
        _place(session.landing_product_event),
        False,
        False,
        0,
        True,
    )


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else dict(zip(PLACE_FIELDS, place, strict=True))


def conversion_row(outcome: Outcome, conversion: ConversionRow) -> Row:
    """A row of `in_conversions`."""
    path = conversion.path
    return (
        outcome.store_id,
        outcome.device_key,
        *_conversion(conversion),
        outcome.touches[path[-1]].attribution_token if path else None,
        len(path),
        # Until its order line says otherwise.
        True,
    )


def touch_rows(outcome: Outcome, conversion: ConversionRow) -> list[Row]:
    """The rows of `in_conversion_touches`, position 1 first."""
    return [
        (
            outcome.store_id,
            outcome.device_key,
            conversion.conversion_key,
            conversion.occurred_at,
            position,
            len(conversion.path),
            touch.touched_at,
            touch.attribution_token,
            touch.product_id,
            touch.touch_event_key,
        )
        for position, touch in enumerate(map(outcome.touches.__getitem__, conversion.path), start=1)
    ]
