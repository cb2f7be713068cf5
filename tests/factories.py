"""Events and records with defaults; a test names only what matters. Time: minutes after MORNING."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import msgspec

from pipeline.domain.erasure import erasure
from pipeline.domain.events import CLOCK_TOLERANCE_MS, Beacon, Request
from pipeline.domain.identity import fingerprint_of, record_key
from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.domain.timestamps import MILLISECOND
from pipeline.replay.memory_worker import MemoryWorker

MORNING = 1_764_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RULES = Rules()

_numbers = count()


def make_event(
    event_type: str = "product_view", minute: float = 0, *, ms: int = 0, **fields: Any
) -> dict[str, Any]:
    """An event as a `beacons` record carries it; its own event id unless given."""
    event = {
        "event_type": event_type,
        "timestamp": MORNING + round(minute * MINUTE) + ms,
        "session_id": "session",
        "event_id": f"event-{next(_numbers)}",
        "product_id": 1,
        **fields,
    }
    event = {name: value for name, value in event.items() if value is not None}
    if event.get("query"):
        event.setdefault("search_term", event["query"])
    canonical = msgspec.json.encode(event, order="sorted")
    return {"fingerprint": fingerprint_of(canonical), **event}


def click(minute: float = 0, token: str | None = "token", **fields: Any) -> dict[str, Any]:
    return make_event("product_click", minute, attribution_token=token, position=1, **fields)


def cart(minute: float = 0, token: str | None = None, **fields: Any) -> dict[str, Any]:
    return make_event("add_to_cart", minute, attribution_token=token, **fields)


def purchase(minute: float = 0, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    items = list(lines) or [{"product_id": 1, "price": "10"}]
    fields = {"currency": "USD", "product_id": None, **fields}
    return make_event("purchase", minute, items=items, **fields)


# Who may send a record, by name: what its headers say.
SENDERS = {
    "visitor": Request(device_type="mobile", browser="Safari", country="DE"),
    "bot": Request(is_bot=True),
    "server": Request(is_server=True),
    "prefetch": Request(is_prefetch=True),
    "bot's prefetch": Request(is_bot=True, is_prefetch=True),
}


def make_record(
    events: Iterable[dict[str, Any]],
    store: str,
    device: str,
    *,
    received_at: int,
    sender: str = "visitor",
    timezone: str = "UTC",
    is_trusted: bool = False,
    needs_confirmation: bool = False,
) -> tuple[bytes, bytes]:
    """Key and value of a record of `beacons`; `sender` is one of `SENDERS`."""
    written = [msgspec.Raw(msgspec.json.encode(event)) for event in events]
    beacon = Beacon(
        store_id=store,
        device_key=device,
        received_at=received_at,
        request=SENDERS[sender],
        events=written,
        raw=written,
        timezone=timezone,
        is_trusted=is_trusted,
        needs_confirmation=needs_confirmation,
    )
    return record_key(store, device), msgspec.json.encode(beacon)


class Log(MemoryWorker):
    """A worker that writes its records itself and keeps their outcomes."""

    def __init__(
        self, rules: Rules = RULES, partition: int = 0, *, topic_id: str = "topic"
    ) -> None:
        super().__init__(rules, partition, topic_id=topic_id)
        self.outcomes: list[Outcome] = []

    def send(
        self,
        *events: dict[str, Any],
        store: str = "store",
        device: str = "d:device",
        received_at: int | None = None,
        is_bot: bool = False,
        appended_at: int | None = None,
        **sent: Any,
    ) -> Outcome:
        """Append a record with `events`, received when its last event occurred unless given.

        `sent` is passed to `make_record`.
        """
        at = received_at or max(event["timestamp"] for event in events)
        sent = {"sender": "bot" if is_bot else "visitor", **sent}
        key, value = make_record(events, store, device, received_at=at, **sent)
        return self.append(key, value, appended_at=appended_at or at)

    def erase(
        self,
        minute: float,
        *,
        store: str = "store",
        device: str = "d:device",
        customer: str | None = None,
    ) -> Outcome:
        """Append a record that erases events of a device, or a customer's, up to `minute`."""
        at = MORNING + round(minute * MINUTE)
        return self.append(
            *erasure(store, device, received_at=at, customer=customer),
            appended_at=at - 2 * CLOCK_TOLERANCE_MS,
        )

    def append(self, key: bytes, value: bytes, *, appended_at: int) -> Outcome:
        """Append a record of any bytes. Its outcome goes through JSON, as on Kafka."""
        outcome = self.process(key, value, appended_at=appended_at)
        outcome = msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome)
        self.outcomes.append(outcome)
        return outcome

    def sessions(self) -> list[tuple[float, float, int]]:
        """(start minute, end minute, events) of every session that stands, in order."""
        rows: dict[str, tuple[float, float, int]] = {}
        for outcome in self.outcomes:
            for gone in outcome.sessions_gone:
                rows.pop(gone.session_key, None)
            for row in outcome.sessions:
                rows[row.session_key] = (
                    (row.started_at - MORNING) / MINUTE,
                    (row.ended_at - MORNING) / MINUTE,
                    row.events,
                )
        return sorted(rows.values())

    def paths(self) -> list[tuple[str, list[str]]]:
        """(match, tokens of its path) of every conversion as it stands, in order of time."""
        rows = {row.conversion_key: (row, o) for o in self.outcomes for row in o.conversions}
        ordered = sorted(
            rows.values(), key=lambda at: (at[0].occurred_at, at[0].event_key, at[0].line)
        )
        return [
            (row.match, [outcome.touches[place].attribution_token for place in row.path])
            for row, outcome in ordered
        ]


def all_before_is_late(log: Log, minute: float, *, device: str = "d:other") -> Outcome:
    """Another device's event, a lateness after `minute`."""
    event = make_event(minute=minute, ms=log.rules.lateness // MILLISECOND)
    return log.send(event, device=device)


def visit(log: Log, sender: str = "visitor") -> None:
    """A record of a whole visit of one minute after the other, by a device of its own."""
    log.send(
        make_event("product_impression", 0, position=1, attribution_token="token"),
        click(1),
        make_event("product_view", 2),
        cart(3),
        purchase(4),
        device=f"d:{sender}",
        sender=sender,
    )
