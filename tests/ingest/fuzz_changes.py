"""Changes to events that leave JSON behind, for the fuzzer and for who wants the same events."""

from __future__ import annotations

import random
from typing import Any

from ingest.wire_cases import NOW_MS, REQUIRED, full, minimal

VALUES: list[Any] = [
    None, True, 0, -1, 1, 2**63 - 1, 2**63, 10**400, 1.5, 1e300, -0.0, "", "0", "1", "-1", "1e2",
    "5.00", 7.0, " 7 ", "7.0", 0.1 + 0.2, 1782907199, 1782907199123456, 20260701, "undefined",
    " null", "usd", "2026-07-01 12:00:00,5 +0200",
    "\0", "\u0661", "x" * 257, "USD", "web", "app", [], {}, [{}], NOW_MS, -62135596800000,
    "0001-01-01", "9999-12-31T23:59:59.999Z", "2026-07-01T12:00:00+05:30", {"a": [{"b": {}}]},
    [{"product_id": 1, "price": "1", "quantity": 2}], *REQUIRED,
]  # fmt: skip
FIELDS = sorted({*full(), "event_type", "received_at", "other"})


def change(events: list[Any], place: int, chance: random.Random) -> None:
    event = events[place]
    what = chance.random()
    if what < 0.1:
        events.append(minimal(chance.choice(list(REQUIRED))))
    elif what < 0.15:
        events.append(event)
    elif what < 0.2 or not isinstance(event, dict):
        events[place] = chance.choice([chance.choice(VALUES), full()])
    elif what < 0.3 and event:
        del event[chance.choice(list(event))]
    elif what < 0.5 and isinstance(event.get("items"), list) and event["items"]:
        line = event["items"][0]
        if isinstance(line, dict):
            line[chance.choice(["product_id", "quantity", "price"])] = chance.choice(VALUES)
    else:
        event[chance.choice(FIELDS)] = chance.choice(VALUES)
