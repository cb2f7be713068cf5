"""What follows from events goes at the end of its term, and what is kept stays exact (T11)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from archived import day, freeze
from expired import restless
from factories import DAY, MINUTE, Log, cart, click, make_event, purchase
from warehouse_fixture import RULES, Warehouse

from pipeline.config import Settings
from pipeline.domain.rules import Rules
from pipeline.warehouse.archive.archiver import Archiver
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.manifest import archive_folder
from pipeline.warehouse.retention.terms import Terms
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

DAYS = DAY // MINUTE
# The morning is at 16:00 UTC.
MIDNIGHT = 8 * 60
TERM = timedelta(days=10)
CUT = "SELECT derived_from FROM retention"
# So many days after the morning the first midnight is cut off.
LATER = 11 * DAYS


@pytest.fixture(scope="module", params=[RULES], ids=["roomy"])
def rules(request: pytest.FixtureRequest) -> Rules:
    return request.param


@pytest.fixture
def expire(warehouse: Warehouse) -> Callable[[], int]:
    """Let all go that is due; how many steps that took. Every check holds after each."""
    retention = restless(warehouse.connection, Terms(derived=TERM))

    def step() -> int:
        steps = 0
        while retention.step():
            steps += 1
            assert warehouse.broken() == {}
        return steps

    return step


Expire = Callable[[], int]


def refund(minute: float, **fields: object) -> dict[str, object]:
    lines = [{"product_id": 1, "price": "10"}]
    return make_event("refund", minute, items=lines, currency="USD", product_id=None, **fields)


def counts(warehouse: Warehouse) -> dict[str, int]:
    """Rows of each table that expires."""
    names = ("sessions", "order_lines", "conversion_facts", "conversion_touches", "touches")
    return {name: warehouse.rows(f"SELECT count(*) FROM {name}")[0][0] for name in names}


def moved_on(log: Log, minute: float = LATER) -> None:
    """Another device's event."""
    log.send(make_event(minute=minute), device="d:other")


def test_t11_what_lies_before_the_cut_goes_and_its_aggregates_stay(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(click(0), cart(1, token="token"), purchase(2, order_id="A"))
    log.send(click(MIDNIGHT), cart(MIDNIGHT, token="token"), purchase(MIDNIGHT, order_id="B"))
    moved_on(log)
    warehouse.load(log.outcomes)
    daily = "SELECT sum(sessions), sum(session_orders) FROM daily_sessions"
    before = warehouse.rows(daily)
    assert expire() == 1
    assert counts(warehouse) == {
        "sessions": 2,
        "order_lines": 1,
        "conversion_facts": 2,
        "conversion_touches": 2,
        "touches": 1,
    }
    assert warehouse.rows("SELECT order_id FROM order_lines") == [("B",)]
    assert (
        warehouse.rows("SELECT * FROM session_revenue ANTI JOIN sessions USING (session_key)") == []
    )
    assert warehouse.rows(daily) == before
    assert warehouse.rows("SELECT count(*) FROM events") == [(7,)]
    assert warehouse.rows(CUT) == [(datetime(2025, 11, 25),)]  # noqa: DTZ001


def test_t11_the_cut_moves_a_day_of_sessions_at_a_time_and_never_falls_back(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    for number in (0, 1, 2, 9):
        log.send(make_event(minute=number * DAYS))
    moved_on(log, 21 * DAYS)
    warehouse.load(log.outcomes)
    # Each day that has sessions, and then what is empty at once.
    assert expire() == 5
    cut = warehouse.rows(CUT)
    assert cut == [(datetime(2025, 12, 5),)]  # noqa: DTZ001
    warehouse.connection.execute("UPDATE ledger SET stream_time = stream_time - INTERVAL 5 DAYS")
    assert expire() == 0
    assert warehouse.rows(CUT) == cut


def test_t11_a_partition_without_a_stream_time_holds_the_cut(warehouse: Warehouse) -> None:
    log = Log(RULES)
    log.send(make_event())
    moved_on(log)
    warehouse.load(log.outcomes)
    retention = restless(warehouse.connection, Terms(derived=TERM), partitions=2)
    assert not retention.step()
    # Whose first event may be of any time: it is on time.
    other = Log(RULES, 1)
    warehouse.load([other.send(make_event(minute=-50), device="d:elsewhere")])
    while retention.step():
        pass
    assert counts(warehouse)["sessions"] == 3
    warehouse.load([other.send(make_event(minute=LATER), device="d:elsewhere")])
    while retention.step():
        pass
    assert counts(warehouse)["sessions"] == 2
    assert warehouse.broken() == {}


def test_t11_a_late_event_before_the_cut_is_counted_and_in_no_table(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(make_event())
    moved_on(log)
    warehouse.load(log.outcomes)
    expire()
    repeat = make_event(minute=MIDNIGHT)
    received = {"received_at": 1_764_000_000_000 + LATER * MINUTE}
    late = [
        log.send(purchase(MIDNIGHT - 1, order_id="A"), repeat, device="d:late", **received),
        log.send(click(5), repeat, device="d:late", **received),
    ]
    warehouse.load(late)
    warehouse.load(log.outcomes)  # once more: redelivered
    counted = "SELECT events, duplicates, failed, expired FROM ledger"
    assert warehouse.rows(counted) == [(3, 1, 0, 2)]
    assert warehouse.rows("SELECT day, expired_events FROM daily_expired") == [
        (datetime(2025, 12, 5).date(), 2)  # noqa: DTZ001
    ]
    assert warehouse.rows(
        "SELECT sum(expired_events), sum(received_events), sum(duplicates) FROM quality"
    ) == [(2, 3, 1)]
    assert warehouse.rows("SELECT events FROM sessions WHERE device_key = 'd:late'") == [(1,)]
    assert counts(warehouse)["order_lines"] == 0
    assert warehouse.broken() == {}


def test_t11_a_late_event_after_the_cut_goes_on_with_a_session_that_ended_before(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(make_event(minute=MIDNIGHT - 40), make_event(minute=MIDNIGHT - 20))
    log.send(make_event(minute=MIDNIGHT - 31), device="d:gone")
    moved_on(log)
    warehouse.load(log.outcomes)
    expire()
    warehouse.load([log.send(make_event(minute=MIDNIGHT + 5))])
    assert warehouse.rows("SELECT events FROM sessions ORDER BY started_at") == [(3,), (1,)]
    assert warehouse.broken() == {}


def test_t11_a_touch_before_the_cut_claims_a_conversion_after_it(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(click(MIDNIGHT - 110))
    moved_on(log)
    warehouse.load(log.outcomes)
    expire()
    warehouse.load([log.send(cart(MIDNIGHT + 10, token="token"))])
    assert warehouse.rows("SELECT match FROM conversions") == [("direct",)]
    assert warehouse.broken() == {}


def test_t11_an_order_stays_with_its_refund_and_its_credits_too(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(
        click(0),
        purchase(1, {"product_id": 1, "price": "10", "attribution_token": "token"}, order_id="A"),
    )
    log.send(refund(MIDNIGHT, order_id="A"))
    moved_on(log)
    warehouse.load(log.outcomes)
    assert expire() == 1
    assert counts(warehouse)["conversion_touches"] == 1
    assert warehouse.rows("SELECT state, taken FROM refunds") == [("counted", 10)]
    # The next day it goes with its refund.
    warehouse.load([log.send(make_event(minute=LATER + DAYS), device="d:other")])
    assert expire() > 0
    assert counts(warehouse)["order_lines"] == counts(warehouse)["conversion_facts"] == 0


@pytest.mark.parametrize("is_late", [True, False], ids=["late", "on time"])
@pytest.mark.parametrize("report", [purchase, refund], ids=["purchase", "refund"])
def test_t11_a_report_of_an_order_that_has_gone_is_an_event_without_line_and_conversion(
    warehouse: Warehouse, expire: Expire, report: Callable[..., dict[str, object]], *, is_late: bool
) -> None:
    log = Log(RULES)
    log.send(purchase(0, order_id="A"))
    moved_on(log)
    warehouse.load(log.outcomes)
    expire()
    minute = MIDNIGHT + 5 if is_late else LATER + 5
    warehouse.load(
        [
            log.send(
                click(minute), report(minute + 1, order_id="A"), purchase(minute + 2, order_id="B")
            )
        ]
    )
    # A click restates what it claims: that stays without the order.
    warehouse.load([log.send(click(minute, token="other"))])
    assert warehouse.rows("SELECT order_id FROM order_lines") == [("B",)]
    assert warehouse.rows("SELECT count(*) FROM conversion_facts") == [(1,)]
    assert warehouse.rows("SELECT orders FROM sessions WHERE purchases > 0") == [(1,)]
    assert warehouse.broken() == {}


def test_t11_a_session_across_the_cut_keeps_its_orders(
    warehouse: Warehouse, expire: Expire
) -> None:
    log = Log(RULES)
    log.send(purchase(MIDNIGHT - 25, order_id="A"), make_event(minute=MIDNIGHT))
    log.send(purchase(MIDNIGHT - 25, order_id=None), make_event(minute=MIDNIGHT), device="d:two")
    moved_on(log)
    warehouse.load(log.outcomes)
    assert expire() == 1
    assert warehouse.rows("SELECT orders FROM sessions ORDER BY started_at") == [(1,), (1,), (0,)]
    assert warehouse.rows("SELECT sum(revenue) FROM session_revenue") == [(20,)]


def test_t11_events_go_once_nothing_that_is_kept_is_made_of_them(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """As rows, and as files of the archive: these once no snapshot names them."""
    log, connection = Log(RULES), warehouse.connection
    log.send(make_event(), make_event(minute=DAYS), make_event(minute=2 * DAYS))
    log.send(make_event(minute=15 * DAYS), device="d:other")
    warehouse.load(log.outcomes)
    folder = archive_folder(warehouse.path)
    shutil.rmtree(folder, ignore_errors=True)
    named = [folder / freeze(connection, folder, day(number)).name for number in (0, 2)]
    snapshot = tmp_path / "analytics.duckdb"
    SnapshotPublisher(connection, warehouse.path, snapshot).publish()
    archiver = Archiver(connection, folder, snapshot, after=timedelta(days=99))
    # `derived_from` is five days after the morning's midnight; events stay 26 hours longer.
    terms = Terms(derived=TERM, events=timedelta(days=13))
    retention = restless(connection, terms, folder=folder, unnamed=archiver.unnamed)
    left = []
    while retention.step():
        assert warehouse.broken() == {}
        left.append(
            warehouse.rows("SELECT count(*), count(*) FILTER (day < '2025-11-25') FROM events")
        )
    assert left[-3:] == [[(4, 1)], [(3, 0)], [(2, 0)]]
    assert warehouse.rows("SELECT events FROM dropped_rows") == [(2,)]
    assert warehouse.rows("SELECT events FROM ledger") == [(4,)]
    # The snapshot names it still.
    assert [path.exists() for path in named] == [True, True]
    SnapshotPublisher(connection, warehouse.path, snapshot).publish()
    archiver.close()
    Archiver(connection, folder, snapshot, after=timedelta(days=99)).close()
    assert [path.exists() for path in named] == [False, True]


def test_t11_events_stay_for_as_long_as_what_is_kept_is_made_of_them(warehouse: Warehouse) -> None:
    """However short their term: touches for a lookback, copies of a late event for 26 hours."""
    log = Log(RULES)
    log.send(*(make_event(minute=number * DAYS) for number in range(15)))
    log.send(make_event(minute=25 * DAYS), device="d:other")
    warehouse.load(log.outcomes)
    terms = Terms(derived=TERM, events=timedelta(days=1))
    retention = restless(warehouse.connection, terms)
    while retention.step():
        assert warehouse.broken() == {}
    ((since, events_since),) = warehouse.rows("SELECT derived_from, events_from FROM retention")
    assert since - events_since == timedelta(days=2)


@pytest.mark.parametrize("term", [timedelta(0), timedelta(days=10, minutes=30)])
def test_a_term_may_be_as_long_as_the_rules_need(term: timedelta) -> None:
    assert Terms.of(Settings(_env_file=None, keep_derived=term)).derived == term


def test_a_term_that_the_rules_outlast_is_refused() -> None:
    short = Settings(_env_file=None, keep_derived=timedelta(days=10))
    with pytest.raises(
        DatabaseError, match=r"^PIPELINE_KEEP_DERIVED=P10D is .* at least P10DT30M, which is"
    ):
        Terms.of(short)


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        (timedelta(days=395), r"^PIPELINE_KEEP_EVENTS=P1Y37D is .* at least P1Y38D,"),
        (timedelta(0), "PIPELINE_KEEP_DERIVED=0 keeps what is made of events for ever"),
    ],
    ids=["too short", "forever"],
)
def test_a_term_of_events_that_rows_outlast_is_refused(derived: timedelta, message: str) -> None:
    short = Settings(_env_file=None, keep_derived=derived, keep_events=timedelta(days=402))
    with pytest.raises(DatabaseError, match=message):
        Terms.of(short)
    longer = Settings(_env_file=None, keep_events=timedelta(days=403))
    assert Terms.of(longer).events == timedelta(days=403)
