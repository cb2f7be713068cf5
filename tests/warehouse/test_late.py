"""What a late event changes after its own transaction (T7); the stream never learns of it."""

from __future__ import annotations

import pytest
from factories import Log, cart, click, make_event
from warehouse_fixture import Warehouse

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import MILLISECOND

OF_THE_DEVICE = "FROM sessions WHERE device_key = 'd:device' ORDER BY started_at"


def all_before_is_late(log: Log, minute: float) -> Outcome:
    """Another device's event, a lateness after `minute`."""
    event = make_event(minute=minute, ms=log.rules.lateness // MILLISECOND)
    return log.send(event, device="d:other")


@pytest.mark.parametrize(("late", "following"), [(45, 70), (30, 60)], ids=["within", "at the gap"])
def test_s3_the_session_of_a_late_event_continues(
    warehouse: Warehouse, late: float, following: float
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=late))])
    warehouse.load([log.send(make_event(minute=following))])
    assert (following, following, 1) in log.sessions()
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(2,)]
    assert warehouse.broken() == {}


def test_s3_the_session_of_a_late_event_continues_before_one_that_has_begun(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load(
        [
            all_before_is_late(log, 60),
            log.send(make_event(minute=45)),
            log.send(make_event(minute=110)),
        ]
    )
    warehouse.load([log.send(make_event(minute=70))])
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(2,), (1,)]
    assert warehouse.broken() == {}


def test_s3_the_session_of_a_late_event_continues_whatever_else_its_transaction_brings(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=45))])
    # Later events of this device, and of a third one, are compared with a far later stream time.
    warehouse.load(
        [
            log.send(make_event(minute=70)),
            all_before_is_late(log, 400),
            log.send(make_event(minute=460)),
            log.send(make_event(minute=460), device="d:third"),
        ]
    )
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(2,), (1,)]
    assert warehouse.broken() == {}


@pytest.mark.parametrize(
    ("late", "horizon", "converted"),
    [(50, 90, 160), (50, 90, 170), (0, 120, 120)],
    ids=["within", "at the lookback", "at the lookback, which is the horizon"],
)
def test_a3_a_late_touch_claims_what_is_bought_up_to_a_lookback_after_it(
    warehouse: Warehouse, late: float, horizon: float, converted: float
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, horizon), log.send(click(late, "late"))])
    warehouse.load([log.send(cart(converted))])
    assert log.paths() == [("none", [])]
    assert warehouse.rows("SELECT match, last_touch_token FROM conversions") == [
        ("carried", "late")
    ]
    assert warehouse.broken() == {}


@pytest.mark.parametrize("is_late", [False, True], ids=["streamed", "recomputed"])
@pytest.mark.parametrize("token", [None, "t"], ids=["carried", "direct"])
def test_a5_a_longer_path_keeps_its_latest_touches(
    warehouse: Warehouse, token: str | None, *, is_late: bool
) -> None:
    log = Log(warehouse.rules)
    outcomes = [all_before_is_late(log, 60)] if is_late else []
    clicks = [
        click(minute, token or f"t{minute}", product_id=1 if token is None else 10 + minute)
        for minute in range(5)
    ]
    # The first is clicked again: it stands at its last click.
    again = click(5, token or "t0", product_id=1 if token is None else 10)
    warehouse.load([*outcomes, log.send(*clicks, again), log.send(cart(6, token))])
    assert warehouse.rows(
        "SELECT position, touches, minute(touched_at) - (SELECT minute(min(touched_at)) FROM"
        " conversion_touches) FROM conversion_touches ORDER BY position"
    ) == [(1, 3, 0), (2, 3, 1), (3, 3, 2)]
    assert warehouse.rows("SELECT touches, last_touch_token FROM conversions") == [
        (3, token or "t0")
    ]
    assert warehouse.broken() == {}
