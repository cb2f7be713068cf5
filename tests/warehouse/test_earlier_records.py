"""Records that an earlier ingest kept in its spool count as they were acknowledged."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from factories import MORNING, Log, make_event
from warehouse_fixture import Warehouse

from pipeline.domain.identity import record_key

DEVICE = "d:device"


def earlier(*events: dict[str, Any]) -> tuple[bytes, bytes]:
    """A record with all digits of each SHA-256, and with what was sent as text inside the event."""
    old = [
        {**event, "fingerprint": hashlib.sha256(event["session_id"].encode()).hexdigest()}
        for event in events
    ]
    written = [{**event, "raw": json.dumps({"session_id": event["session_id"]})} for event in old]
    beacon = {"store_id": "store", "device_key": DEVICE, "received_at": MORNING, "request": {}}
    return record_key("store", DEVICE), json.dumps({**beacon, "events": written}).encode()


def test_an_event_of_an_earlier_record_is_the_same_event(warehouse: Warehouse) -> None:
    # Without an id of its own, so the content is what it is known by (D1).
    event = make_event(event_id=None, session_id="s")
    log = Log(warehouse.rules)
    log.append(*earlier(event), appended_at=MORNING)
    digest = hashlib.sha256(b"s").hexdigest()[:32]
    repeated = log.send({**event, "fingerprint": digest}, device=DEVICE)
    assert [duplicate.kind for duplicate in repeated.duplicates] == ["exact"]
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT fingerprint, extra FROM events") == [(UUID(digest), None)]
    assert warehouse.broken() == {}


def test_an_event_of_an_earlier_record_that_fails_is_kept_with_what_was_sent(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    log.append(*earlier(make_event("teleport", session_id="s")), appended_at=MORNING)
    warehouse.load(log.outcomes)
    ((raw,),) = warehouse.rows("SELECT raw FROM rejected_events")
    assert json.loads(json.loads(raw)["raw"]) == {"session_id": "s"}
