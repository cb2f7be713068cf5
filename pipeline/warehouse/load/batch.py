"""The outcomes of one transaction, gathered as rows and handed over as Arrow tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from pipeline.domain.erasure import customer_key, named_in
from pipeline.domain.events import Event
from pipeline.domain.outcomes import ConversionRow, Outcome
from pipeline.domain.rules import Rules
from pipeline.topics import Rejected
from pipeline.warehouse.erasing.erasures import Erasures
from pipeline.warehouse.load import columns, rows
from pipeline.warehouse.load.erased import Erasure

_event = msgspec.json.Decoder(Event)

Row = tuple[Any, ...]


@dataclass(slots=True)
class Watermark:
    """What the batch adds to a partition's row of the ledger. Stream times are in ms.

    `stream_time_before` is the stream time before the first record. It is needed when the
    warehouse lacks the records before that one. Up to `dropped_until` the warehouse lacks events
    that the stream has counted.
    """

    topic_id: str
    first_origin: int
    next_origin: int
    stream_time_before: int | None
    stream_time: int | None = None
    records: int = 0
    events: int = 0
    duplicates: int = 0
    failed: int = 0
    erased: int = 0
    expired: int = 0
    dropped_until: int | None = None

    def drop(self, event: Event, *, is_late: bool) -> None:
        """Count what is erased. On time, it is in what the stream makes of its device."""
        self.erased += 1
        if not is_late:
            self.dropped_until = max(event.occurred_at, self.dropped_until or event.occurred_at)


@dataclass(slots=True)
class LoadBatch:
    """What one transaction will write. A later row of a key replaces an earlier one."""

    rules: Rules
    events: list[Row] = field(default_factory=list)
    duplicates: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    seen_rejected: set[tuple[str, int]] = field(default_factory=set)
    sessions: dict[str, Row] = field(default_factory=dict)
    gone: dict[str, Row] = field(default_factory=dict)
    conversions: dict[str, tuple[Outcome, ConversionRow]] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)
    devices: dict[tuple[str, str, int], int | None] = field(default_factory=dict)
    ledger: dict[int, Watermark] = field(default_factory=dict)
    positions: dict[tuple[str, int], Row] = field(default_factory=dict)
    known_erasures: Erasures = field(default_factory=Erasures)
    erasures: dict[tuple[str, str], Erasure] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    """Types of its events, and `late_events` if some are late."""
    _tables: dict[str, pa.Table] | None = None

    def __len__(self) -> int:
        return sum(watermark.records for watermark in self.ledger.values()) + len(self.rejected)

    def add(self, outcome: Outcome) -> None:
        """Add the next outcome of its partition.

        The caller has checked that it is (`Ledger`), and that the batch `may_hold` it.
        """
        origin = outcome.origin
        watermark = self.ledger.get(origin.partition)
        if watermark is None:
            watermark = Watermark(
                origin.topic_id, origin.offset, origin.offset, outcome.stream_time
            )
            self.ledger[origin.partition] = watermark
        watermark.next_origin = origin.offset + 1
        watermark.stream_time = outcome.stream_time_after
        watermark.records += 1
        watermark.erased += outcome.erased
        if outcome.erased_at is not None:
            self.erasures[outcome.store_id, outcome.device_key] = Erasure(
                outcome.store_id,
                outcome.device_key,
                outcome.erased_at,
                origin.partition,
                origin.offset,
                outcome.erased_customer,
            )
        elif outcome.store_id:
            self.stores.setdefault(outcome.store_id, outcome.timezone)
        if outcome.late:
            self.kinds.add("late_events")
        self._facts(outcome, watermark)
        self._derived(outcome)

    def may_hold(self, outcome: Outcome) -> bool:
        """False for what a device sent after its erasure in this batch, which erases last."""
        return (outcome.store_id, outcome.device_key) not in self.erasures

    def add_rejected(self, rejected: Rejected) -> None:
        """Add an event that ingest rejected. A repeat is ignored, and so is an erased one (E2)."""
        # Without any, no rejected event is parsed.
        if self.known_erasures and self.known_erasures.have(
            rejected.store_id, named_in(rejected.raw) or [], received_at=rejected.received_at
        ):
            return
        if rejected.request_id:
            identity = (rejected.request_id, rejected.index)
            if identity in self.seen_rejected:
                return
            self.seen_rejected.add(identity)
        if rejected.timezone:
            self.stores.setdefault(rejected.store_id, rejected.timezone)
        self.rejected.append(
            (
                rejected.store_id,
                rejected.received_at,
                rejected.index,
                rejected.reason,
                rejected.detail,
                rejected.raw,
                rejected.request_id or None,
            )
        )

    def _facts(self, outcome: Outcome, watermark: Watermark) -> None:
        until = self.known_erasures.until(outcome.store_id, outcome.device_key)
        origin = outcome.origin
        for facts, is_late in ((outcome.facts, False), (outcome.late, True)):
            for fact in facts:
                event = _event.decode(fact)
                if (until is not None and event.occurred_at <= until) or (
                    self._is_erased_customers(event, outcome.store_id)
                ):
                    watermark.drop(event, is_late=is_late)
                    continue
                watermark.events += 1
                self.kinds.add(event.event_type)
                self.events.append(
                    rows.event_row(event, outcome, is_late=is_late, place=len(self.events))
                )
        if until is not None and outcome.received_at <= until:
            # Nothing says when these occurred.
            watermark.erased += len(outcome.duplicates) + len(outcome.failed)
            return
        watermark.duplicates += len(outcome.duplicates)
        for duplicate in outcome.duplicates:
            self.duplicates.append(
                (
                    outcome.store_id,
                    duplicate.event_key,
                    duplicate.kind,
                    outcome.received_at,
                    origin.partition,
                    origin.offset,
                )
            )
        watermark.failed += len(outcome.failed)
        for failed in outcome.failed:
            # An unreadable record names no store and no time.
            at = outcome.received_at or None
            self.rejected.append(
                (outcome.store_id, at, None, failed.reason, failed.detail, failed.raw, None)
            )

    def _is_erased_customers(self, event: Event, store_id: str) -> bool:
        if not self.known_erasures or event.customer_id is None:
            return False
        until = self.known_erasures.until(store_id, customer_key(event.customer_id))
        return until is not None and event.occurred_at <= until

    def _derived(self, outcome: Outcome) -> None:
        device = (outcome.store_id, outcome.device_key)
        placed = (*device, outcome.origin.partition)
        if outcome.facts or outcome.late:
            horizon = (
                None
                if outcome.stream_time is None
                else outcome.stream_time - self.rules.lateness_ms
            )
            # The first record's horizon is the lowest: stream time never falls.
            self.devices.setdefault(placed, horizon)
        for gone in outcome.sessions_gone:
            self.sessions.pop(gone.session_key, None)
            self.gone[gone.session_key] = (*device, gone.session_key, gone.started_at)
        for session in outcome.sessions:
            self.sessions[session.session_key] = rows.session_row(session, outcome)
        for conversion in outcome.conversions:
            self.conversions[conversion.conversion_key] = (outcome, conversion)

    def tables(self) -> dict[str, pa.Table]:
        """The rows of each staging table, by its name. Made once: nothing is added afterwards."""
        if self._tables is None:
            self._tables = self._made()
        return self._tables

    def _made(self) -> dict[str, pa.Table]:
        return {
            "in_events": columns.table(columns.EVENTS, self.events),
            "in_duplicates": columns.table(columns.DUPLICATES, self.duplicates),
            "in_rejected": columns.table(columns.REJECTED, self.rejected),
            "in_sessions": columns.table(columns.SESSIONS, list(self.sessions.values())),
            "in_gone": columns.table(columns.GONE, list(self.gone.values())),
            "in_conversions": columns.table(
                columns.CONVERSIONS,
                [rows.conversion_row(o, c) for o, c in self.conversions.values()],
            ),
            "in_conversion_touches": columns.table(
                columns.TOUCHES,
                [row for o, c in self.conversions.values() for row in rows.touch_rows(o, c)],
            ),
            "in_devices": columns.table(
                columns.DEVICES, [(*placed, horizon) for placed, horizon in self.devices.items()]
            ),
            "in_ledger": columns.table(
                columns.LEDGER,
                [
                    (watermark.topic_id, partition, *_counts(watermark))
                    for partition, watermark in self.ledger.items()
                ],
            ),
            "in_positions": columns.table(columns.POSITIONS, list(self.positions.values())),
        }


_counts = attrgetter(
    "first_origin",
    "next_origin",
    "stream_time",
    "records",
    "events",
    "duplicates",
    "failed",
    "erased",
    "expired",
    "stream_time_before",
    "dropped_until",
)
