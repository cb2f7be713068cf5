"""Rules I1, I2 and D1-D6."""

from factories import DAY, MINUTE, Log, make_event, purchase

from pipeline.domain.identity import device_key, netstring


def test_i1_the_session_stands_for_a_missing_device() -> None:
    assert device_key("x", "y") == "d:x"
    assert device_key(None, "y") == "s:y"


def test_i2_one_session_id_on_two_devices_is_two_sessions() -> None:
    log = Log()
    log.send(make_event(minute=0), device="d:one")
    log.send(make_event(minute=1), device="d:two")
    assert log.sessions() == [(0, 0, 1), (1, 1, 1)]


def test_d1_parts_with_their_lengths_cannot_run_into_each_other() -> None:
    assert netstring("ab") + netstring("c") != netstring("a") + netstring("bc")


def test_d1_without_an_event_id_equal_events_are_one_and_different_ones_are_two() -> None:
    log = Log()
    first = make_event(minute=0, event_id=None)
    outcome = log.send(first, first, make_event(minute=0, event_id=None, product_id=2))
    assert len(outcome.facts) == 2
    assert [duplicate.kind for duplicate in outcome.duplicates] == ["exact"]


def test_d1_an_order_is_itself_whatever_the_order_of_its_lines() -> None:
    one, two = {"product_id": 1, "price": "1"}, {"product_id": 2, "price": "1"}
    log = Log()
    log.send(purchase(0, one, two, order_id="o", event_id=None))
    again = log.send(purchase(1, two, one, order_id="o", event_id=None))
    other = log.send(purchase(2, one, order_id="o", event_id=None))
    assert [duplicate.kind for duplicate in again.duplicates] == ["conflict"]
    assert other.facts


def test_d2_the_first_in_the_log_wins_and_another_payload_is_a_conflict() -> None:
    log = Log()
    original = make_event(minute=5, event_id="same")
    log.send(original)
    assert log.send(original).duplicates[0].kind == "exact"
    assert log.send(make_event(minute=1, event_id="same")).duplicates[0].kind == "conflict"
    assert log.sessions() == [(5, 5, 1)]


def test_d4_a_key_older_than_the_lateness_counts_as_absent_swept_or_not() -> None:
    log = Log()
    log.send(make_event(minute=0, event_id="same"))
    log.send(make_event(ms=3 * DAY + 1), device="d:other")
    again = log.send(make_event(ms=3 * DAY, event_id="same"))
    assert again.facts
    assert not again.duplicates


def test_d4_the_same_event_after_the_horizon_is_late_for_the_warehouse_to_refuse() -> None:
    log = Log()
    original = make_event(minute=0, event_id="same")
    log.send(original)
    log.send(make_event(ms=365 * DAY), device="d:other")
    assert len(log.send(original, received_at=original["timestamp"] + 365 * DAY).late) == 1


def test_d5_equal_events_without_an_id_in_one_timestamp_are_one() -> None:
    log = Log()
    event = make_event(minute=0, event_id=None)
    log.send(event)
    assert log.send(event, received_at=event["timestamp"] + MINUTE).duplicates


def test_d6_no_store_and_no_device_suppresses_anothers_events() -> None:
    log = Log()
    event = make_event(minute=0, event_id="same")
    for store, device in (("a", "d:1"), ("b", "d:1"), ("a", "d:2")):
        assert log.send(event, store=store, device=device).facts
