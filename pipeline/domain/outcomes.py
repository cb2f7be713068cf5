"""The outcome of a record of `beacons`: everything that the record changed."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.domain.attribution import ConversionType, Match
from pipeline.domain.duplicates import Kind
from pipeline.domain.events import Request

# Where an event stands in T5 order: time in ms, rank, event key.
Place = tuple[int, int, str]


class Origin(msgspec.Struct, frozen=True):
    """The record that an outcome belongs to. A recreated topic has another id (architecture)."""

    topic_id: str
    partition: int
    offset: int


class Duplicate(msgspec.Struct, frozen=True):
    """A dropped repeat (D2)."""

    event_key: str
    kind: Kind


class Failed(msgspec.Struct, frozen=True):
    """An event on which a rule broke, with its bytes as text."""

    reason: Literal["failed"]
    detail: str
    raw: str


class SessionGone(msgspec.Struct, frozen=True):
    """A session row that another has replaced (S3, S4)."""

    session_key: str
    started_at: int


class SessionRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session as it stands after the record. Times in epoch ms; counts by event type.

    `marketing_event`, `landing_token_event` and `landing_product_event` are the places (T5) of the
    events that named these, None where that is the session's first event or where none did.
    """

    session_key: str
    session_id: str
    started_at: int
    ended_at: int
    events: int
    counts: tuple[int, ...]
    first_event_type: str
    first_event_key: str
    entry_collection: str | None = None
    entry_query: str | None = None
    entry_product_id: int | None = None
    marketing_source: str | None = None
    marketing_medium: str | None = None
    marketing_campaign: str | None = None
    shopping_channel: str = "web"
    device_type: str | None = None
    browser: str | None = None
    country: str | None = None
    landing_token: str | None = None
    landing_product_id: int | None = None
    is_bot: bool = False
    is_report: bool = False
    marketing_event: Place | None = None
    landing_token_event: Place | None = None
    landing_product_event: Place | None = None


class TouchRow(msgspec.Struct, frozen=True):
    """A step of a conversion's path (A5)."""

    touched_at: int
    attribution_token: str
    product_id: int | None
    touch_event_key: str


class ConversionRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conversion, new or restated (A6); `path` are places in the outcome's `touches`."""

    conversion_key: str
    event_key: str
    line: int
    conversion_type: ConversionType
    occurred_at: int
    session_id: str
    product_id: int
    variant_id: int | None = None
    quantity: int = 1
    revenue: str | None = None
    currency: str | None = None
    match: Match
    attribution_token: str | None = None
    is_bot: bool = False
    path: list[int] = []


class Outcome(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A record of `outcomes`.

    `stream_time` is the partition's before this record (T6, T7), None for the first one;
    `stream_time_after` with it, None while no event's time could be read. Each of `facts` and
    `late` is the JSON of an `Event`, complete. `erased` events were dropped (E2). With `erased_at`
    (ms) the record has erased its device: no row of it is left but those of later outcomes; with
    `erased_customer` no row that is made from that customer's events (E3).
    """

    origin: Origin
    rules: str
    stream_time: int | None
    stream_time_after: int | None
    store_id: str = ""
    device_key: str = ""
    received_at: int = 0
    request: Request = Request()
    timezone: str = "UTC"
    is_trusted: bool = False
    needs_confirmation: bool = False
    facts: list[msgspec.Raw] = []
    late: list[msgspec.Raw] = []
    duplicates: list[Duplicate] = []
    failed: list[Failed] = []
    sessions: list[SessionRow] = []
    sessions_gone: list[SessionGone] = []
    conversions: list[ConversionRow] = []
    touches: list[TouchRow] = []
    erased: int = 0
    erased_at: int | None = None
    erased_customer: str | None = None
