"""What a late event changes after its own transaction (T7); the stream never learns of it."""

from __future__ import annotations

import pytest
from factories import Log, all_before_is_late, cart, click, make_event
from warehouse_fixture import Warehouse

OF_THE_DEVICE = "FROM sessions WHERE device_key = 'd:device' ORDER BY started_at"


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


def test_s3_a_late_event_joins_the_sessions_a_gap_before_and_after_it(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(make_event(minute=minute)) for minute in (0, 60)])
    # More than that is another session.
    warehouse.load([log.send(make_event(minute=90, ms=1)), all_before_is_late(log, 100)])
    warehouse.load([log.send(make_event(minute=30))])
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(3,), (1,)]
    assert warehouse.broken() == {}


@pytest.mark.parametrize("is_touch_late", [True, False], ids=["touch", "conversion"])
def test_a3_what_is_late_meets_what_stands_a_lookback_away(
    warehouse: Warehouse, *, is_touch_late: bool
) -> None:
    log = Log(warehouse.rules)
    events = [click(0, "red"), cart(120)]
    on_time, late = reversed(events) if is_touch_late else events
    warehouse.load([log.send(on_time), all_before_is_late(log, 130)])
    warehouse.load([log.send(late)])
    assert warehouse.rows("SELECT match, last_touch_token FROM conversions") == [("carried", "red")]
    assert warehouse.broken() == {}


def test_d4_a_late_repeat_of_an_event_in_the_same_transaction_changes_nothing(
    warehouse: Warehouse,
) -> None:
    log, event = Log(warehouse.rules), make_event(minute=45)
    warehouse.load([log.send(event), all_before_is_late(log, 60), log.send(event)])
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(1,)]
    assert warehouse.rows("SELECT kind FROM duplicates") == [("exact",)]
    assert warehouse.broken() == {}


def test_a3_a_late_touch_claims_what_is_bought_in_its_millisecond(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(cart(50)), all_before_is_late(log, 100)])
    warehouse.load([log.send(click(50, "red"))])
    assert warehouse.rows("SELECT match, last_touch_token FROM conversions") == [("carried", "red")]
    assert warehouse.broken() == {}


def test_s5_a_session_that_begins_before_midnight_after_all_leaves_its_day(
    warehouse: Warehouse,
) -> None:
    # MORNING is at 16:00.
    log, midnight = Log(warehouse.rules), 8 * 60
    warehouse.load([log.send(make_event(minute=0), device="d:the day before")])
    warehouse.load([log.send(make_event(minute=midnight)), all_before_is_late(log, midnight + 60)])
    warehouse.load([log.send(make_event(minute=midnight - 1))])
    assert warehouse.rows("SELECT day(day), sessions FROM daily_sessions ORDER BY day") == [
        (24, 2),
        (25, 1),
    ]
    assert warehouse.broken() == {}


def test_a6_a_late_touch_restates_the_path(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.send(click(10, "blue")), log.send(cart(50)), all_before_is_late(log, 100)])
    warehouse.load([log.send(click(40, "red"))])
    assert warehouse.rows(
        "SELECT position, touches, attribution_token FROM conversion_touches ORDER BY position"
    ) == [(1, 2, "blue"), (2, 2, "red")]
    assert warehouse.broken() == {}


def test_s3_a_session_of_a_late_device_that_begins_earlier_is_replaced_once(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([all_before_is_late(log, 60), log.send(make_event(minute=45))])
    # The stream and the warehouse both replace the session that begins here.
    warehouse.load([log.send(make_event(minute=100))])
    warehouse.load([log.send(make_event(minute=80))])
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(1,), (2,)]
    assert warehouse.broken() == {}


@pytest.mark.parametrize(("held", "late"), [(0, 26), (26, 0)], ids=["before it", "after it"])
def test_d4_a_late_repeat_is_known_26_hours_from_where_it_stands(
    warehouse: Warehouse, held: int, late: int
) -> None:
    log, same = Log(warehouse.rules), {"event_id": "moved", "fingerprint": "f" * 64}
    first, repeat = (make_event(minute=60 * hours, **same) for hours in (held, late))
    warehouse.load([log.send(first), all_before_is_late(log, 27 * 60)])
    warehouse.load([log.send(repeat)])
    assert warehouse.rows(f"SELECT events {OF_THE_DEVICE}") == [(1,)]
    assert warehouse.rows("SELECT kind FROM duplicates") == [("exact",)]
    assert warehouse.broken() == {}
