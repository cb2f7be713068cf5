"""Outcomes, gathered until a transaction takes them, as Arrow tables of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from pipeline.domain.events import Event
from pipeline.domain.outcomes import ConversionRow, Outcome
from pipeline.domain.rules import Rules
from pipeline.topics import Rejected
from pipeline.warehouse import rows

_event = msgspec.json.Decoder(Event)

Row = tuple[Any, ...]


@dataclass(slots=True)
class Watermark:
    """A partition's part of the batch: counts of the ledger, stream times in ms.

    `stream_time_before` is that of the first record, which matters where records before it are
    missing from the warehouse.
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


@dataclass(slots=True)
class LoadBatch:
    """What one transaction will write. The later row of a key takes the earlier's place."""

    rules: Rules
    events: list[Row] = field(default_factory=list)
    duplicates: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    refused: set[tuple[str, int]] = field(default_factory=set)
    sessions: dict[str, Row] = field(default_factory=dict)
    gone: dict[str, Row] = field(default_factory=dict)
    conversions: dict[str, tuple[Outcome, ConversionRow]] = field(default_factory=dict)
    devices: dict[tuple[str, str, int], int | None] = field(default_factory=dict)
    ledger: dict[int, Watermark] = field(default_factory=dict)
    positions: dict[tuple[str, int], Row] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(mark.records for mark in self.ledger.values()) + len(self.rejected)

    def add(self, outcome: Outcome) -> None:
        """The next outcome of its partition; the caller has seen to that (`Ledger.accepts`)."""
        origin = outcome.origin
        mark = self.ledger.get(origin.partition)
        if mark is None:
            mark = Watermark(origin.topic_id, origin.offset, origin.offset, outcome.stream_time)
            self.ledger[origin.partition] = mark
        mark.next_origin = origin.offset + 1
        mark.stream_time = outcome.stream_time_after
        mark.records += 1
        mark.events += len(outcome.facts) + len(outcome.late)
        mark.duplicates += len(outcome.duplicates)
        mark.failed += len(outcome.failed)
        self._facts(outcome)
        self._derived(outcome)

    def refuse(self, rejected: Rejected) -> None:
        """An event refused at the door, once however often it comes."""
        if rejected.request_id:
            identity = (rejected.request_id, rejected.index)
            if identity in self.refused:
                return
            self.refused.add(identity)
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

    def _facts(self, outcome: Outcome) -> None:
        for facts, is_late in ((outcome.facts, False), (outcome.late, True)):
            for fact in facts:
                event = _event.decode(fact)
                self.events.append(
                    rows.event_row(event, outcome, is_late=is_late, place=len(self.events))
                )
        origin = outcome.origin
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
        for failed in outcome.failed:
            # A record that could not be read names no store and no time.
            at = outcome.received_at or None
            self.rejected.append(
                (outcome.store_id, at, None, failed.reason, failed.detail, failed.raw, None)
            )

    def _derived(self, outcome: Outcome) -> None:
        device = (outcome.store_id, outcome.device_key)
        placed = (*device, outcome.origin.partition)
        if outcome.facts or outcome.late:
            horizon = (
                None
                if outcome.stream_time is None
                else outcome.stream_time - self.rules.lateness_ms
            )
            # Of its records the first has the lowest: stream time never falls.
            self.devices.setdefault(placed, horizon)
        for gone in outcome.sessions_gone:
            self.sessions.pop(gone.session_key, None)
            self.gone[gone.session_key] = (*device, gone.session_key, gone.started_at)
        for session in outcome.sessions:
            self.sessions[session.session_key] = rows.session_row(session, outcome)
        for conversion in outcome.conversions:
            self.conversions[conversion.conversion_key] = (outcome, conversion)

    def tables(self) -> dict[str, pa.Table]:
        """Each staging table's rows, by its name."""
        return {
            "in_events": rows.table(rows.EVENTS, self.events),
            "in_duplicates": rows.table(rows.DUPLICATES, self.duplicates),
            "in_rejected": rows.table(rows.REJECTED, self.rejected),
            "in_sessions": rows.table(rows.SESSIONS, list(self.sessions.values())),
            "in_gone": rows.table(rows.GONE, list(self.gone.values())),
            "in_conversions": rows.table(
                rows.CONVERSIONS,
                [rows.conversion_row(o, c) for o, c in self.conversions.values()],
            ),
            "in_conversion_touches": rows.table(
                rows.TOUCHES,
                [row for o, c in self.conversions.values() for row in rows.touch_rows(o, c)],
            ),
            "in_devices": rows.table(
                rows.DEVICES, [(*placed, horizon) for placed, horizon in self.devices.items()]
            ),
            "in_ledger": rows.table(
                rows.LEDGER,
                [
                    (mark.topic_id, partition, *_mark(mark))
                    for partition, mark in self.ledger.items()
                ],
            ),
            "in_positions": rows.table(rows.POSITIONS, list(self.positions.values())),
        }


_mark = attrgetter(
    "first_origin",
    "next_origin",
    "stream_time",
    "records",
    "events",
    "duplicates",
    "failed",
    "erased",
    "stream_time_before",
)
