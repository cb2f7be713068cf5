"""Rules S1-S6."""

import pytest
from factories import MINUTE, Log, make_event

from pipeline.domain.catalog import EVENT_TYPES


@pytest.mark.parametrize(("silence", "sessions"), [(-1, 1), (0, 1), (1, 2)])
def test_s2_the_gap_itself_still_joins(silence: int, sessions: int) -> None:
    log = Log()
    log.send(make_event(minute=0))
    log.send(make_event(minute=30, ms=silence))
    assert len(log.sessions()) == sessions


def test_s1_another_session_id_is_another_session() -> None:
    log = Log()
    log.send(make_event(minute=0), make_event(minute=1, session_id="other"))
    assert len(log.sessions()) == 2


def test_s3_an_event_between_two_sessions_makes_them_one() -> None:
    log = Log()
    log.send(make_event(minute=0))
    log.send(make_event(minute=50))
    assert log.sessions() == [(0, 0, 1), (50, 50, 1)]
    bridged = log.send(make_event(minute=25))
    assert log.sessions() == [(0, 50, 3)]
    assert len(bridged.sessions_gone) == 1


def test_s3_within_one_record_only_what_stood_before_goes() -> None:
    log = Log()
    outcome = log.send(make_event(minute=0), make_event(minute=50), make_event(minute=25))
    assert len(outcome.sessions) == 1
    assert not outcome.sessions_gone


def test_s4_an_event_before_the_start_replaces_the_row() -> None:
    log = Log()
    first = log.send(make_event(minute=20))
    second = log.send(make_event(minute=0))
    assert second.sessions_gone[0].session_key == first.sessions[0].session_key
    assert second.sessions[0].session_key != first.sessions[0].session_key
    assert log.sessions() == [(0, 20, 2)]


def test_s5_midnight_does_not_cut_a_session() -> None:
    log = Log()
    log.send(make_event(minute=7 * 60 + 50), make_event(minute=8 * 60 + 10))  # around 00:00 UTC
    assert len(log.sessions()) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_s6_what_a_session_carries_does_not_depend_on_arrival(order: tuple[int, ...]) -> None:
    events = [
        make_event("collection_view", 0, collection_handle="sale", product_id=None),
        make_event("search", 5, query="shoes", product_id=None, marketing_source="mail"),
        make_event("product_view", 10, product_id=7),
    ]
    log = Log()
    for index in order:
        log.send(events[index], received_at=events[2]["timestamp"] + MINUTE, is_bot=index == 1)
    row = log.outcomes[-1].sessions[0]
    assert (row.first_event_type, row.entry_collection, row.entry_query) == (
        "collection_view",
        "sale",
        None,
    )
    assert (row.entry_product_id, row.marketing_source, row.shopping_channel) == (
        None,
        "mail",
        "web",
    )
    assert row.landing_product_id == 7
    assert not row.is_bot
    assert row.events == 3
    assert dict(zip(EVENT_TYPES, row.counts, strict=True))["search"] == 1
