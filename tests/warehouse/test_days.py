"""Days are the store's (T10), by the zone that its records name and no reader's TimeZone."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from factories import MORNING, Log, cart, click, make_event, purchase
from warehouse_fixture import Warehouse

from pipeline.domain.outcomes import Outcome
from pipeline.topics import Rejected
from pipeline.warehouse.database import DatabaseError, connect_live

# Both changes of summer time, +05:45, and both sides of the date line.
PLACES = [
    ("Europe/Berlin", datetime(2025, 10, 25, 20, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 28, 20, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 2, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 7, 1, 16, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(2026, 7, 1, 6, tzinfo=UTC)),
    ("Pacific/Pago_Pago", datetime(2026, 7, 1, 6, tzinfo=UTC)),
]


def at(moment: datetime, **offset: float) -> int:
    """Milliseconds after the morning, for `make_event`."""
    return round((moment + timedelta(**offset)).timestamp() * 1000) - MORNING


@pytest.mark.parametrize(("zone", "evening"), PLACES)
def test_t10_day_and_hour_are_those_of_the_stores_clocks(
    warehouse: Warehouse, zone: str, evening: datetime
) -> None:
    log = Log(warehouse.rules)
    times = [evening + timedelta(minutes=half) for half in range(0, 16 * 60, 15)]
    events = [make_event("search", ms=at(time)) for time in times]
    warehouse.load([log.send(event, timezone=zone) for event in events])
    assert warehouse.broken() == {}
    local = [time.astimezone(ZoneInfo(zone)) for time in times]
    assert warehouse.rows("SELECT day, hour FROM events ORDER BY occurred_at") == [
        (time.date(), time.hour) for time in local
    ]
    assert len({time.date() for time in local}) == 2


def test_t10_each_row_stands_on_the_day_of_its_own_event(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    # Midnight in New York is five o'clock in UTC.
    before = datetime(2026, 1, 10, 4, 50, tzinfo=UTC)
    events = [
        make_event("block_view", ms=at(before), attribution_token="token", block_id="top"),
        click(ms=at(before, minutes=1)),
        cart(ms=at(before, minutes=15)),
        purchase(0, ms=at(before, minutes=16), order_id="A", attribution_token="token"),
        make_event(
            "refund",
            ms=at(before, days=3),
            order_id="A",
            items=[{"product_id": 1, "price": "4"}],
            currency="USD",
            product_id=None,
        ),
    ]
    warehouse.load([log.send(event, timezone="America/New_York") for event in events])
    assert warehouse.broken() == {}
    first, second, back = date(2026, 1, 9), date(2026, 1, 10), date(2026, 1, 12)
    days = {
        "sessions": {first, back},
        "conversions": {second},
        "daily_sessions": {first, back},
        "daily_attribution": {second},
        "revenue": {second},
        "credits": {second},
        "refunds": {back},
        "refund_credits": {back},
        "kpis": {first},
        "campaigns": {first, back},
        "funnel": {first, back},
        "traffic": {first, second, back},
    }
    for name, wanted in days.items():
        assert {day for (day,) in warehouse.rows(f"SELECT DISTINCT day FROM {name}")} == wanted, (
            name
        )
    days = "DATE '2026-01-09', DATE '2026-01-09'"
    some = f"SELECT name, blended_clicks FROM kpis({days}) WHERE grain = 'block'"
    assert warehouse.rows(some) == [("top", 1)]


def test_t10_the_zone_of_the_first_record_stays(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    moment = datetime(2026, 7, 1, 20, tzinfo=UTC)
    for zone, minute in (("Asia/Kathmandu", 0), ("UTC", 1)):
        warehouse.load(
            [log.send(make_event("search", ms=at(moment, minutes=minute)), timezone=zone)]
        )
    assert warehouse.rows("SELECT timezone FROM stores") == [("Asia/Kathmandu",)]
    assert warehouse.rows("SELECT DISTINCT day FROM events") == [(date(2026, 7, 2),)]


def test_t10_other_zone_data_is_refused(warehouse: Warehouse, tmp_path: object) -> None:
    path = tmp_path / "live.duckdb"  # type: ignore[operator]
    with connect_live(path, warehouse.rules) as connection:
        connection.execute("INSERT INTO stores VALUES ('shop', 'Europe/Berlin', 'other')")
    with pytest.raises(DatabaseError, match="other data of the zone Europe/Berlin"):
        connect_live(path, warehouse.rules)


@pytest.mark.parametrize(
    ("zone", "evening", "day"),
    [
        ("Pacific/Kiritimati", datetime(2026, 7, 1, 11, tzinfo=UTC), "2026-07-02"),
        ("Pacific/Pago_Pago", datetime(2026, 7, 3, 10, tzinfo=UTC), "2026-07-02"),
    ],
)
def test_t10_kpis_of_a_day_read_all_of_it(
    warehouse: Warehouse, zone: str, evening: datetime, day: str
) -> None:
    log = Log(warehouse.rules)
    seen = make_event("block_view", ms=at(evening), attribution_token="token", block_id="top")
    warehouse.load([log.send(seen, timezone=zone)])
    found = (
        f"SELECT blended_impressions FROM kpis(DATE '{day}', DATE '{day}') WHERE grain = 'block'"
    )
    assert warehouse.rows(found) == [(1,)]


def test_t10_duplicates_and_rejected_events_stand_on_the_day_they_arrive(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    evening = datetime(2026, 1, 10, 3, tzinfo=UTC)
    event = make_event("search", ms=at(evening))
    warehouse.load([log.send(event, timezone="America/New_York") for _ in range(2)])
    warehouse.load_rejected(
        Rejected(
            store_id=store,
            received_at=MORNING + at(evening),
            index=0,
            reason="missing",
            detail="query: is missing",
            raw="{}",
        )
        # No record of the other store has come yet.
        for store in ("store", "unknown")
    )
    assert warehouse.rows("SELECT received_day FROM duplicates") == [(date(2026, 1, 9),)]
    assert warehouse.rows("SELECT store_id, received_day FROM rejected_events ORDER BY ALL") == [
        ("store", date(2026, 1, 9)),
        ("unknown", date(2026, 1, 10)),
    ]


def test_t10_of_two_zones_in_one_transaction_the_first_stays(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    moment = datetime(2026, 7, 1, 20, tzinfo=UTC)
    warehouse.load(
        log.send(make_event("search", ms=at(moment, minutes=minute)), timezone=zone)
        for minute, zone in enumerate(("Asia/Kathmandu", "UTC"))
    )
    assert warehouse.rows("SELECT timezone FROM stores") == [("Asia/Kathmandu",)]


def test_t10_two_stores_have_their_own_days(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    event = make_event("search", ms=at(datetime(2026, 7, 1, 20, tzinfo=UTC)))
    zones = ("Asia/Kathmandu", "UTC")
    warehouse.load([log.send(event, store=zone, timezone=zone) for zone in zones])
    assert warehouse.rows("SELECT store_id, day FROM events ORDER BY ALL") == [
        ("Asia/Kathmandu", date(2026, 7, 2)),
        ("UTC", date(2026, 7, 1)),
    ]


def test_t10_a_new_store_beside_a_known_one_leaves_its_zone(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    minutes = itertools.count()

    def sent(zone: str, store: str) -> Outcome:
        return log.send(make_event("search", next(minutes)), store=store, timezone=zone)

    warehouse.load([sent("Asia/Kathmandu", "known")])
    warehouse.load([sent("UTC", "known"), sent("UTC", "new")])
    assert warehouse.rows("SELECT store_id, timezone FROM stores ORDER BY ALL") == [
        ("known", "Asia/Kathmandu"),
        ("new", "UTC"),
    ]


def test_t10_zones_that_differ_in_summer_alone_have_other_digests(warehouse: Warehouse) -> None:
    zones = ("UTC", "Africa/Lagos", "Europe/Berlin")
    digests = {warehouse.rows(f"SELECT zone_digest('{zone}')")[0][0] for zone in zones}
    assert len(digests) == len(zones)


def test_t10_what_is_known_of_a_zone_does_not_depend_on_the_sessions(warehouse: Warehouse) -> None:
    known = set()
    for zone in ("UTC", "America/New_York", "Australia/Lord_Howe"):
        warehouse.connection.execute(f"SET TimeZone = '{zone}'")
        known.add(warehouse.rows("SELECT zone_digest('Europe/Berlin'), zone_digest('UTC')")[0])
    warehouse.connection.execute("SET TimeZone = 'UTC'")
    ((berlin, utc),) = known
    assert berlin != utc


def test_t10_a_conversion_stands_on_the_stores_day(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    moment = at(datetime(2026, 7, 1, 20, tzinfo=UTC))
    events = cart(ms=moment), purchase(ms=moment)
    warehouse.load([log.send(*events, timezone="Asia/Kathmandu")])
    assert warehouse.broken() == {}
    assert warehouse.rows("SELECT day FROM conversions") == [(date(2026, 7, 2),)] * 2
