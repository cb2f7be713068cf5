"""A refused event stands once, however often ingest sends it."""

from __future__ import annotations

import json
from uuid import uuid4

import msgspec
from warehouse_fixture import Warehouse

from pipeline.delivery.poison import refusals
from pipeline.delivery.publisher import Record
from pipeline.domain.events import Request
from pipeline.ingest.accept import accept
from pipeline.ingest.sender import Sender
from pipeline.topics import Rejected

IDS = "SELECT replace(CAST(request_id AS VARCHAR), '-', ''), index FROM rejected_events ORDER BY 2"


def refused(request_id: str, index: int = 0, received_at: int = 1_782_907_200_000) -> Rejected:
    return Rejected(
        request_id=request_id,
        store_id="store",
        received_at=received_at,
        index=index,
        reason="too_old",
        detail="",
        raw="{}",
    )


def test_in_one_transaction(warehouse: Warehouse) -> None:
    one = uuid4().hex
    warehouse.load_rejected([refused(one), refused(one, 1), refused(one), refused(one, 1)])
    assert warehouse.rows(IDS) == [(one, 0), (one, 1)]


def test_over_transactions_with_others_before_and_after_it(warehouse: Warehouse) -> None:
    one, other = uuid4().hex, uuid4().hex
    warehouse.load_rejected([refused(one, received_at=2_000), refused(other, 5, received_at=9_000)])
    warehouse.load_rejected([refused(other, 6, received_at=9_000), refused(one, received_at=2_000)])
    warehouse.load_rejected([refused(other, 5, received_at=9_000)])
    assert warehouse.rows(IDS) == [(one, 0), (other, 5), (other, 6)]
    assert warehouse.broken() == {}


def test_t10_its_day_is_the_stores_even_before_the_first_event_that_counts(
    warehouse: Warehouse,
) -> None:
    accepted = accept(
        b'{"events": [{}]}',
        sender=Sender("store", timezone="Asia/Kathmandu"),
        request=Request(),
        is_app=False,
        # 20:00 in UTC.
        received_at=1_795_204_800_000,
    )
    warehouse.load_rejected(accepted.rejected)
    assert warehouse.rows("SELECT CAST(day AS VARCHAR) FROM quality") == [("2026-11-21",)]
    assert warehouse.broken() == {}


def test_without_an_id_nothing_counts_as_a_repeat(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.load_rejected([refused(""), refused("")])
    assert warehouse.rows("SELECT request_id, index FROM rejected_events") == [(None, 0)] * 4


def test_two_rows_of_one_rejection_fail_a_check(warehouse: Warehouse) -> None:
    warehouse.load_rejected([refused(uuid4().hex)])
    warehouse.connection.execute("INSERT INTO rejected_events FROM rejected_events")
    assert list(warehouse.broken()) == ["rejected_unique"]


def test_an_event_rejected_twice_for_two_reasons_is_stored_once(warehouse: Warehouse) -> None:
    now = 1_782_907_200_000
    event = {"event_type": "search", "timestamp": now, "session_id": "s"}
    body = json.dumps({"events": [{**event, "query": query} for query in "ab"]}).encode()
    sender = Sender("shop")
    accepted = accept(body, sender=sender, request=Request(), is_app=False, received_at=now)
    ((key, value),) = accepted.records
    for reason in ("too large", "not authorized"):
        sent = refusals(Record("beacons", key, value), reason, topic="rejected")
        warehouse.load_rejected(msgspec.json.decode(record.value, type=Rejected) for record in sent)
    assert warehouse.rows("SELECT index, detail, raw FROM rejected_events ORDER BY 1") == [
        (index, "too large", json.dumps({**event, "query": query}))
        for index, query in enumerate("ab")
    ]
