"""What the warehouse makes of an erasure (E1, E2): as if the device had never sent anything."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import msgspec
import pytest
from archived import day, freeze
from factories import (
    DAY,
    HOUR,
    MINUTE,
    MORNING,
    Log,
    all_before_is_late,
    cart,
    click,
    make_event,
    purchase,
)
from strategies import gathered, transactions_of, with_erasures
from warehouse_fixture import RULES, TIGHT, Warehouse

from pipeline.topics import Rejected
from pipeline.warehouse.archive.freezing import Span
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.erasing.erasures import Erasures, key_file
from pipeline.warehouse.manifest import archive_files, archive_folder

COUNTED = "SELECT events, duplicates, failed, erased FROM ledger"
# All that has a column for a device.
OF_DEVICES = ("events", "sessions", "order_lines", "conversion_facts", "touches", "late_devices")


@pytest.fixture(autouse=True)
def _no_files(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.clear()
    shutil.rmtree(archive_folder(warehouse.path), ignore_errors=True)


def held_of(warehouse: Warehouse, device: str, store: str = "store") -> dict[str, int]:
    """The rows of a device by table, where there are any."""
    counts = {
        table: warehouse.connection.execute(
            f"SELECT count(*) FROM {table} WHERE store_id = ? AND device_key = ?", [store, device]
        ).fetchall()[0][0]
        for table in OF_DEVICES
    }
    return {table: count for table, count in counts.items() if count}


def archive(warehouse: Warehouse) -> None:
    """Move all events into files, a day each."""
    for (found,) in warehouse.rows("SELECT DISTINCT day FROM hot_events ORDER BY day"):
        freeze(warehouse.connection, archive_folder(warehouse.path), Span(found, found))


def shopping(log: Log, device: str, *, at: float = 0) -> None:
    log.send(
        make_event("product_impression", at, position=1, attribution_token="token"),
        click(at + 1),
        cart(at + 2),
        purchase(at + 3, order_id="A"),
        device=device,
    )


@pytest.mark.parametrize(
    ("rules", "is_archived"),
    [
        pytest.param(RULES, True, id="archived-roomy"),
        pytest.param(TIGHT, False, id="hot-tight"),
        pytest.param(RULES, False, id="hot-roomy", marks=pytest.mark.long),
        pytest.param(TIGHT, True, id="archived-tight", marks=pytest.mark.long),
    ],
    indirect=["rules"],
)
def test_every_derived_table_equals_its_recompute_with_erasures(
    warehouse: Warehouse, every: int, *, is_archived: bool
) -> None:
    random = Random(7)  # noqa: S311  # the same each time
    stories = [with_erasures(story, random) for story in gathered(20, number=3)]
    turns = [transactions_of(each, warehouse.rules, number=n) for n, each in enumerate(stories)]
    erased = 0
    for turn in range(max(map(len, turns))):
        outcomes = [o for batches in turns if turn < len(batches) for o in batches[turn]]
        taken = warehouse.load(outcomes)
        if turn % every == 0:
            assert warehouse.broken() == {}
        last = {(o.store_id, o.device_key): o for o in taken}
        for (store, device), outcome in last.items():
            if outcome.erased_at is None:
                continue
            erased += 1
            if outcome.erased_customer is None:
                assert held_of(warehouse, device, store) == {}
        if is_archived and turn % 2:
            archive(warehouse)
            if turn // 2 % every == 0:
                assert warehouse.broken() == {}
    assert warehouse.broken() == {}
    assert warehouse.come_back() == []
    assert erased > 8
    assert warehouse.rows("SELECT count(*) > 10 FROM erasures WHERE events > 0") == [(True,)]


def test_e1_nothing_is_left_of_the_device_and_others_stay(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:device")
    shopping(log, "d:other", at=5)
    repeated = click(9)
    log.send(repeated, device="d:device")
    log.send(repeated, device="d:device")
    warehouse.load(log.outcomes)
    before = held_of(warehouse, "d:other")
    assert held_of(warehouse, "d:device")
    warehouse.load([log.erase(60)])
    assert held_of(warehouse, "d:device") == {}
    assert held_of(warehouse, "d:other") == before
    assert warehouse.rows("FROM duplicates") == []
    assert warehouse.rows(COUNTED) == [(4, 0, 0, 6)]
    assert warehouse.rows("SELECT events, duplicates, rejected FROM erasures") == [(5, 1, 0)]
    assert warehouse.broken() == {}


def test_e1_a_report_of_an_order_counts_once_the_better_one_is_erased(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:device")
    log.send(purchase(30, order_id="A"), device="d:webhook", sender="server")
    warehouse.load(log.outcomes)
    counted = "SELECT device_key FROM conversions WHERE conversion_type = 'purchase'"
    orders = "SELECT device_key, orders FROM sessions ORDER BY 1"
    assert warehouse.rows(counted) == [("d:device",)]
    assert warehouse.rows(orders) == [("d:device", 1), ("d:webhook", 0)]
    warehouse.load([log.erase(60)])
    assert warehouse.rows(counted) == [("d:webhook",)]
    assert warehouse.rows(orders) == [("d:webhook", 1)]
    assert warehouse.broken() == {}


def test_e2_what_comes_again_is_counted_and_what_is_new_counts(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:device")
    warehouse.load(log.outcomes)
    warehouse.load([log.erase(60)])
    outcomes = [log.send(click(1)), log.send(cart(61)), log.send(cart(62))]
    warehouse.load(outcomes)
    assert warehouse.rows(COUNTED) == [(2, 0, 0, 5)]
    assert warehouse.rows("SELECT events FROM sessions") == [(2,)]
    assert warehouse.broken() == {}


def test_e1_one_batch_may_hold_what_was_before_and_what_comes_after(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:device")
    log.erase(60)
    log.send(cart(61))
    log.erase(90)
    log.send(cart(91))
    warehouse.load(log.outcomes)
    assert warehouse.rows("SELECT epoch_ms(occurred_at) FROM events") == [(MORNING + 91 * MINUTE,)]
    assert warehouse.rows(COUNTED) == [(1, 0, 0, 5)]
    assert warehouse.rows('SELECT events FROM erasures ORDER BY "offset"') == [(4,), (1,)]
    assert warehouse.broken() == {}


def test_e2_a_backfill_after_the_state_has_forgotten_brings_nothing_back(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:device")
    log.erase(60)
    month = 40 * DAY
    all_before_is_late(log, month / MINUTE)
    log.forget()
    warehouse.load(log.outcomes)
    # A process that was restarted knows it from the table.
    warehouse.restart()
    late = log.send(
        click(1), make_event(minute=60), make_event(minute=60, ms=1), received_at=MORNING + month
    )
    assert len(late.late) == 3
    warehouse.load([late])
    assert held_of(warehouse, "d:device")["events"] == 1
    assert warehouse.rows(COUNTED) == [(2, 0, 0, 6)]
    assert warehouse.broken() == {}


def test_e2_what_fails_later_is_erased_by_when_it_was_received(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    log.erase(60)
    all_before_is_late(log, 40 * DAY / MINUTE)
    log.forget()
    warehouse.load(log.outcomes)
    broken = make_event(quantity="unreadable")
    sent = [log.send(broken, received_at=MORNING + minute * MINUTE) for minute in (60, 61)]
    assert [len(outcome.failed) for outcome in sent] == [1, 1]
    warehouse.load(sent)
    assert warehouse.rows(COUNTED) == [(1, 0, 1, 1)]
    assert warehouse.rows("SELECT epoch_ms(received_at) FROM rejected_events") == [
        (MORNING + 61 * MINUTE,)
    ]


def rejected(raw: str, *, index: int, minute: float = 0, store: str = "store") -> Rejected:
    return Rejected(
        request_id="0" * 32,
        store_id=store,
        received_at=MORNING + round(minute * MINUTE),
        index=index,
        reason="missing_field",
        detail="timestamp: required",
        raw=raw,
    )


OF_THE_DEVICE = (
    '{"device_id":"7"}',
    '{"device_id":7}',
    '{"device_id":7.0,"session_id":"s"}',
    '{"device_id":"\\u0037"}',
    '["no event", "7"]',
)
OF_OTHERS = ('{"device_id":"77"}', '{"query":"7"}', '{"device_id":"8","query":"\\"7\\""}', "7")


def test_e1_what_was_rejected_of_the_device_goes_by_the_ids_that_it_names(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    texts = [*OF_THE_DEVICE, *OF_OTHERS]
    warehouse.load_rejected(rejected(raw, index=n) for n, raw in enumerate(texts))
    warehouse.load_rejected(
        [
            rejected('{"device_id":"7"}', index=100, store="other"),
            rejected('{"device_id":"7"}', index=101, minute=60.001, store="other"),
            rejected('{"device_id":"7"}', index=102, minute=60, store="other"),
        ]
    )
    warehouse.load([log.erase(60, device="d:7")])
    left = warehouse.rows("SELECT raw FROM rejected_events WHERE store_id = 'store' ORDER BY index")
    assert [raw for (raw,) in left] == list(OF_OTHERS)
    assert warehouse.rows("SELECT rejected FROM erasures") == [(len(OF_THE_DEVICE),)]
    warehouse.load([log.erase(60, device="d:7", store="other")])
    assert warehouse.rows("SELECT index FROM rejected_events WHERE store_id = 'other'") == [(101,)]


def test_e2_what_is_rejected_later_is_dropped_if_it_was_received_before(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.erase(60, device="s:visit")])
    of_the_session = '{"session_id":"visit"}'
    warehouse.load_rejected(
        [
            rejected(of_the_session, index=0, minute=60),
            rejected(of_the_session, index=1, minute=60.001),
            rejected('{"session_id":"other"}', index=2),
            rejected('{"session_id":[1]}', index=3),
        ]
    )
    assert warehouse.rows("SELECT index FROM rejected_events ORDER BY 1") == [(1,), (2,), (3,)]


def test_e1_files_that_hold_the_device_are_written_again_without_it(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    for number in range(3):
        shopping(log, "d:other", at=number * DAY / MINUTE)
    shopping(log, "d:device", at=DAY / MINUTE)
    log.send(click(2 * DAY / MINUTE + 600), device="d:device")  # stays in the database
    warehouse.load(log.outcomes)
    folder = archive_folder(warehouse.path)
    freeze(warehouse.connection, folder, day(0))
    freeze(warehouse.connection, folder, day(1))
    before = {file.first_day: file for file in archive_files(warehouse.connection)}
    warehouse.load([log.erase(3 * DAY / MINUTE)])
    after = {file.first_day: file for file in archive_files(warehouse.connection)}
    assert after[day(0).first] == before[day(0).first]
    assert (before[day(1).first].events, after[day(1).first].events) == (8, 4)
    assert after[day(1).first].name != before[day(1).first].name
    assert stat.S_IMODE((folder / after[day(1).first].name).stat().st_mode) == 0o400
    assert held_of(warehouse, "d:device") == {}
    assert warehouse.rows("SELECT events FROM erasures") == [(5,)]
    assert warehouse.broken() == {}


def test_e1_a_file_of_nothing_else_is_named_no_more(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    shopping(log, "d:it's")
    warehouse.load(log.outcomes)
    archive(warehouse)
    warehouse.load([log.erase(HOUR / MINUTE, device="d:it's")])
    assert archive_files(warehouse.connection) == []
    assert warehouse.rows("FROM events") == []
    assert warehouse.broken() == {}


def test_e2_without_its_key_a_warehouse_is_not_opened(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    warehouse.load([log.erase(60)])
    path = key_file(warehouse.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_bytes()
    ((hashed,),) = warehouse.rows("SELECT device_hash FROM erasures")
    try:
        for other, said in ((bytes(32), "missing or another"), (b"short", "not a key")):
            path.write_bytes(other)
            with pytest.raises(DatabaseError, match=said):
                Erasures.read(warehouse.connection, warehouse.path)
        path.unlink()
        with pytest.raises(DatabaseError, match="missing or another"):
            Erasures.read(warehouse.connection, warehouse.path)
    finally:
        path.write_bytes(key)
    known = Erasures.read(warehouse.connection, warehouse.path)
    assert known.until("store", "d:device") == MORNING + 60 * MINUTE
    assert known.until("store", "d:other") is None
    assert len(hashed) == 32


@pytest.mark.parametrize("is_archived", [False, True], ids=["hot", "archived"])
def test_e3_of_a_customer_only_their_own_events_go(
    warehouse: Warehouse, *, is_archived: bool
) -> None:
    log = Log(warehouse.rules)
    log.send(click(0, "token", customer_id="ann"), make_event(minute=1))
    log.send(cart(2, customer_id="ben"), purchase(3, order_id="A", customer_id="ann"))
    log.send(purchase(4, order_id="A"), device="d:webhook", sender="server")
    repeat = make_event(minute=5, customer_id="ben")
    log.send(repeat)
    log.send(repeat)
    warehouse.load(log.outcomes)
    if is_archived:
        archive(warehouse)
    warehouse.load([log.erase(60, customer="ann")])
    customers = "SELECT customer_id FROM events WHERE device_key = 'd:device' ORDER BY 1"
    assert warehouse.rows(customers) == [
        ("ben",),
        ("ben",),
        (None,),
    ]
    assert warehouse.rows("SELECT device_key, events, orders FROM sessions ORDER BY 1") == [
        ("d:device", 3, 0),
        ("d:webhook", 1, 1),
    ]
    # The click that it came from was hers.
    assert warehouse.rows(
        "SELECT match FROM conversions WHERE conversion_type = 'add_to_cart'"
    ) == [("none",)]
    ((events, duplicates, _, erased),) = warehouse.rows(COUNTED)
    # The repeat stays one: as a duplicate of the stream, or of the warehouse.
    assert (events, duplicates, erased) == (4, 1, 2)
    assert warehouse.rows("SELECT events, duplicates FROM erasures") == [(2, 0)]
    assert warehouse.broken() == {}


def test_e3_the_device_goes_on_and_the_customers_events_do_not_come_back(
    warehouse: Warehouse,
) -> None:
    log = Log(warehouse.rules)
    hers, anyones = click(0, "token", customer_id="ann"), click(1, "other")
    log.send(hers, anyones)
    warehouse.load(log.outcomes)
    warehouse.load([log.erase(60, customer="ann")])
    again = log.send(
        hers, anyones, cart(31, "other"), cart(32, "token"), cart(61, customer_id="ann")
    )
    assert (again.facts, len(again.late)) == ([], 5)
    warehouse.load([again])
    assert warehouse.rows("SELECT match FROM conversions ORDER BY occurred_at") == [
        ("direct",),
        ("orphan",),
        ("carried",),
    ]
    assert warehouse.rows(COUNTED) == [(4, 1, 0, 2)]
    assert warehouse.broken() == {}


def test_e3_what_was_on_its_way_from_another_device_does_not_come(
    warehouse: Warehouse, every: int
) -> None:
    """As from a spool: the stream takes it for on time, and knows no erasure of that device."""
    log = Log(warehouse.rules)
    log.send(click(0, customer_id="ann"), cart(1, customer_id="ann"))
    warehouse.load(log.outcomes)
    warehouse.load([log.erase(60, customer="ann")])
    late, horizon = click(2, customer_id="ann"), warehouse.rules.lateness // timedelta(minutes=1)
    spooled = log.send(click(3, "hers", customer_id="ann"), make_event(minute=4), device="d:second")
    assert (len(spooled.facts), spooled.erased) == (2, 0)
    warehouse.load([spooled])
    # What the stream makes of them goes on for as long as the session does.
    for turn, minute in enumerate(range(20, 600, 20)):
        warehouse.load([log.send(cart(minute, "hers"), device="d:second")])
        if turn % every == 0:
            assert warehouse.broken() == {}
    log.send(make_event(minute=600 + horizon), device="d:third")
    warehouse.load([log.outcomes[-1], log.send(late, device="d:second")])
    assert warehouse.broken() == {}
    assert warehouse.come_back() == []
    assert warehouse.rows("SELECT match FROM conversions LIMIT 1") == [("orphan",)]
    assert warehouse.rows("SELECT erased FROM ledger") == [(4,)]


def test_e2_what_repeats_what_was_erased_is_erased_too(warehouse: Warehouse) -> None:
    """As from outcomes of before, which a restored warehouse loads again."""
    log = Log(warehouse.rules)
    event = click(1)
    before = [log.send(event, cart(2)), log.send(event)]
    log.erase(60)
    warehouse.load(log.outcomes[2:])
    again = [
        msgspec.structs.replace(o, origin=msgspec.structs.replace(o.origin, offset=n))
        for n, o in enumerate(before, 3)
    ]
    warehouse.load(again)
    assert warehouse.rows("SELECT erased, events, duplicates FROM ledger") == [(3, 0, 0)]
    assert warehouse.rows("FROM sessions") == warehouse.rows("FROM conversions") == []
    assert warehouse.broken() == {}


def test_e3_what_was_rejected_of_the_customer_goes(warehouse: Warehouse) -> None:
    log = Log(warehouse.rules)
    raws = ('{"customer_id":"ann"}', '{"customer_id":"ben","device_id":"device"}')
    warehouse.load_rejected(rejected(raw, index=n) for n, raw in enumerate(raws))
    warehouse.load([log.erase(60, customer="ann")])
    warehouse.load_rejected([rejected(raws[0], index=7)])
    assert warehouse.rows("SELECT raw FROM rejected_events") == [(raws[1],)]
    assert warehouse.rows("SELECT rejected FROM erasures") == [(1,)]
