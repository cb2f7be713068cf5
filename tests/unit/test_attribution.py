"""Rules A1-A6 and A10."""

import sys
from collections import Counter
from types import FrameType

import pytest
from factories import DAY, Log, cart, click, make_event, purchase
from stream_log import PartitionLog

from pipeline.domain.rules import Rules


def paths(*events: dict[str, object]) -> list[tuple[str, list[str]]]:
    log = Log()
    for event in sorted(events, key=lambda event: event["timestamp"]):
        log.send(event)
    return log.paths()


@pytest.mark.parametrize(
    ("before", "match"),
    [(0, "direct"), (7 * DAY, "direct"), (7 * DAY + 1, "orphan"), (-1, "orphan")],
)
def test_a3_the_lookback_is_closed_at_both_ends(before: int, match: str) -> None:
    assert paths(click(0, "t", ms=-before), cart(0, "t"))[0][0] == match


def test_a1_a_click_without_a_token_is_no_touch() -> None:
    assert paths(click(0, None), cart(1)) == [("none", [])]


def test_a2_every_line_of_a_purchase_is_a_conversion() -> None:
    lines = [
        {"product_id": 1, "price": "1", "attribution_token": "a"},
        {"product_id": 2, "price": "2", "attribution_token": "b"},
    ]
    found = paths(click(0, "a", product_id=1), click(1, "b", product_id=2), purchase(2, *lines))
    assert found == [("direct", ["a"]), ("direct", ["b"])]


def test_a4_the_lines_token_comes_before_the_events() -> None:
    line = {"product_id": 1, "price": "1", "attribution_token": "line"}
    found = paths(click(0, "line"), click(1, "event"), purchase(2, line, attribution_token="event"))
    assert found == [("direct", ["line"])]


def test_a4_touches_on_the_same_product_come_before_others_of_the_token() -> None:
    same = paths(click(0, "t", product_id=2), click(1, "t", product_id=1), cart(2, "t"))
    other = paths(click(0, "t", product_id=2), click(1, "t", product_id=3), cart(2, "t"))
    assert same == [("direct", ["t"])]
    assert other == [("direct", ["t", "t"])]


def test_a4_without_a_token_a_click_on_the_product_is_carried() -> None:
    assert paths(click(0, "t"), cart(1)) == [("carried", ["t"])]
    assert paths(click(0, "t", product_id=2), cart(1)) == [("none", [])]


def test_a4_a_token_that_was_never_clicked_is_an_orphan() -> None:
    assert paths(click(0, "t"), cart(1, "other")) == [("orphan", [])]


def test_a5_a_path_holds_each_token_and_product_once_at_its_last_click() -> None:
    found = paths(click(0, "a"), click(1, "b"), click(2, "a"), cart(3))
    assert found == [("carried", ["b", "a"])]


def test_a5_of_a_longer_path_the_latest_touches_stay() -> None:
    log = Log(Rules(most_touches=2))
    log.send(click(2, "b"), click(3, "c"))
    log.send(cart(4))
    assert log.paths() == [("carried", ["b", "c"])]
    log.send(click(1, "a"))
    assert log.paths() == [("carried", ["b", "c"])]
    log.send(click(2, "d", ms=1))
    assert log.paths() == [("carried", ["d", "c"])]


def test_a6_a_click_after_its_conversion_never_counts() -> None:
    assert paths(cart(0, "t"), click(1, "t")) == [("orphan", [])]


def test_a6_a_click_that_arrives_late_restates_the_conversion() -> None:
    log = Log()
    log.send(cart(10, "t"))
    assert log.paths() == [("orphan", [])]
    restated = log.send(click(5, "t"))
    assert len(restated.conversions) == 1
    assert log.paths() == [("direct", ["t"])]


def test_a6_what_a_late_click_does_not_change_is_not_said_again() -> None:
    log = Log()
    log.send(cart(10, "t"))
    assert not log.send(click(5, "other")).conversions


def test_a_touch_of_another_device_is_nothing() -> None:
    log = Log()
    log.send(click(0, "t"), device="d:one")
    log.send(cart(1, "t"), device="d:two")
    assert log.paths() == [("orphan", [])]


def test_a10_revenue_is_exact_and_absent_without_a_price() -> None:
    lines = [
        {"product_id": 1, "price": "0.1", "quantity": 3},
        {"product_id": 2, "quantity": 2},
        {"product_id": 3, "price": "9999999999.9999", "quantity": 9999},
    ]
    rows = Log().send(purchase(0, *lines)).conversions
    assert [row.revenue for row in rows] == ["0.3000", None, "99989999999999.0001"]
    assert [row.currency for row in rows] == ["USD", None, "USD"]


def test_a_cart_earns_nothing() -> None:
    row = Log().send(make_event("add_to_cart", price="5", currency="USD")).conversions[0]
    assert row.revenue is None


def test_a_record_looks_at_each_conversion_once_however_many_clicks_it_has() -> None:
    topic = PartitionLog()
    topic.send(*[cart(5, None, ms=number) for number in range(60)])
    topic.send(*[click(4, f"token-{number}", ms=number) for number in range(60)])
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1

    sys.setprofile(count)
    try:
        topic.run(topic.assigned())
    finally:
        sys.setprofile(None)
    assert [len(row.path) for row in topic.outcomes[1].conversions] == [50] * 60
    assert calls["attribution_of"] == 120
