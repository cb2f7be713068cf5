"""What a session takes from its events in one millisecond, in Python and in SQL (S6, T5)."""

from __future__ import annotations

from factories import Log, make_event
from warehouse_fixture import Warehouse


def test_s6_of_one_millisecond_and_rank_the_key_decides(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for session in range(20):
        named = [
            {"attribution_token": f"t{n}", "product_id": n, "marketing_campaign": f"c{n}"}
            for n in range(1, 5)
        ]
        for fields in named:
            log.send(make_event(session_id=f"{session}", **fields))
    warehouse.load(log.outcomes)
    # The recomputed sessions are the stream's.
    assert warehouse.broken() == {}
    landed = warehouse.rows("SELECT landing_token, landing_product_id FROM sessions")
    assert len(landed) == 20
    assert all(token == f"t{product}" for token, product in landed)


def test_s6_the_country_is_the_first_events(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.send(make_event(minute=0), sender="server")
    log.send(make_event(minute=1))
    warehouse.load(log.outcomes)
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT device_type, browser, country FROM sessions") == [
        (None, None, None)
    ]
