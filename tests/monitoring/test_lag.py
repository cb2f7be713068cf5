from __future__ import annotations

from pipeline.monitoring.lag import Lag

PLACE = ("0",)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def lag() -> tuple[Lag, Clock]:
    clock = Clock()
    return Lag(clock), clock


def test_a_reader_at_the_end_has_no_lag_however_old_its_last_record_is() -> None:
    found, clock = lag()
    found.ends({PLACE: 5})
    found.reached(PLACE, 5, written_at=10.0)
    clock.now += 60
    assert (found.records(), found.seconds()) == ({PLACE: 0}, {PLACE: 0})


def test_what_waits_was_written_after_the_record_before_it() -> None:
    found, _ = lag()
    found.ends({PLACE: 10})
    found.reached(PLACE, 0)
    found.reached(PLACE, 4, written_at=400.0)
    assert (found.records(), found.seconds()) == ({PLACE: 6}, {PLACE: 600})


def test_what_comes_after_an_idle_hour_has_not_waited_for_an_hour() -> None:
    found, clock = lag()
    found.reached(PLACE, 5, written_at=10.0)
    found.ends({PLACE: 5})
    clock.now += 3600
    found.ends({PLACE: 5})
    clock.now += 5
    found.ends({PLACE: 6})
    assert found.seconds() == {PLACE: 5}
    clock.now += 2
    assert found.seconds() == {PLACE: 7}


def test_before_its_first_record_a_reader_lags_since_it_was_seen_behind() -> None:
    found, clock = lag()
    found.ends({PLACE: 6})
    found.reached(PLACE, 0)
    clock.now += 3
    assert found.seconds() == {PLACE: 3}
    # An old record shows how long its successors have waited.
    found.reached(PLACE, 1, written_at=100.0)
    assert found.seconds() == {PLACE: 903}


def test_a_partition_of_another_process_is_not_shown() -> None:
    found, _ = lag()
    found.ends({PLACE: 6, ("1",): 3})
    found.reached(PLACE, 0)
    assert found.records() == {PLACE: 6}
    found.forget(PLACE)
    assert found.records() == found.seconds() == {}


def test_an_answer_that_is_late_does_not_bring_a_reader_back() -> None:
    found, _ = lag()
    found.ends({PLACE: 6})
    found.reached(PLACE, 6, written_at=10.0)
    found.reached(PLACE, 5)
    assert found.records() == {PLACE: 0}


def test_without_kafka_it_says_since_when_it_knows_no_better() -> None:
    found, _ = lag()
    found.reached(("0",), 3)
    found.reached(("1",), 0)
    found.ends({("0",): 10, ("1",): 2})
    assert found.described(is_current=True) == "9 records"
    assert found.described(is_current=False) == "9 records when Kafka last answered"
