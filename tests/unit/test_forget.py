"""What a device's state may hold (D4, architecture): how long, and how much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from factories import MORNING, Log, cart, click, make_event, purchase

from pipeline.domain.device import Device, forget
from pipeline.domain.rules import Rules

RULES = Rules(gap=timedelta(minutes=30), lookback=timedelta(minutes=120))
ONE = {"product_id": 1, "price": "1"}


def state_of(*events: dict[str, Any]) -> Device:
    log = Log(RULES)
    log.send(*events)
    (device,) = log.devices.values()
    return device


@pytest.mark.parametrize(
    ("name", "reach_ms"),
    [("keys", 0), ("conversions", 0), ("sessions", RULES.gap_ms), ("touches", RULES.lookback_ms)],
)
def test_d4_each_is_kept_up_to_its_own_reach_and_not_a_millisecond_more(
    name: str, reach_ms: int
) -> None:
    # The earlier of each kind is forgotten: nothing hides behind what nobody looks at.
    device = state_of(click(-1), cart(-1), click(0), cart(0))
    forget(device, horizon=MORNING + reach_ms, rules=RULES)
    assert getattr(device, name)
    forget(device, horizon=MORNING + reach_ms + 1, rules=RULES)
    assert not getattr(device, name)


@pytest.mark.parametrize("name", ["keys", "conversions", "touches", "sessions"])
def test_a_state_that_is_full_of_one_kind_takes_no_more(name: str) -> None:
    events = {
        "keys": make_event,
        "conversions": cart,
        "touches": click,
        "sessions": lambda minute: make_event(minute=100 * minute),
    }
    rules = msgspec.structs.replace(
        RULES, **({"most_keys": 3} if name == "keys" else {"most_rows": 3})
    )
    log = Log(rules)
    build = events[name] if name != "keys" else lambda minute: make_event(minute=minute)
    for minute in range(3):
        assert log.send(build(minute)).facts
    assert log.send(build(3)).late
    (device,) = log.devices.values()
    assert len(getattr(device, name)) == 3


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([cart(5), cart(5), click(1), click(2)], click(3)),
        ([cart(5, "a"), cart(5, "a"), click(1, "a"), click(2, "a", product_id=2)], click(3, "a")),
        ([cart(5), click(1), click(2), click(3), click(4)], cart(5)),
        ([click(1), click(2), purchase(5, ONE, ONE)], purchase(5, ONE)),
    ],
    ids=["click", "click with a token", "cart", "line"],
)
def test_a_device_is_over_its_limit_where_too_many_clicks_may_claim_too_many_conversions(
    before: list[dict[str, Any]], then: dict[str, Any]
) -> None:
    log = Log(msgspec.structs.replace(RULES, most_claims=4))
    for event in before:
        assert log.send(event).facts
    assert log.send(then).late


def test_clicks_on_other_products_and_of_other_tokens_make_no_device_hot() -> None:
    log = Log(msgspec.structs.replace(RULES, most_claims=20))
    for number in range(1, 11):
        assert log.send(click(0, f"t{number}", product_id=number)).facts
        assert log.send(cart(1, product_id=number)).facts
        assert log.send(cart(1, f"t{number}", product_id=99)).facts


def test_what_clicks_of_one_product_restate_is_bounded() -> None:
    log = Log()
    for number in range(499):
        log.send(cart(5, ms=number))
    restated = [log.send(click(4, f"token-{number}", ms=number)) for number in range(499)]
    assert sum(len(row.path) for outcome in restated for row in outcome.conversions) == 499 * (
        sum(range(1, 11))
    )
    assert [bool(outcome.late) for outcome in restated] == [False] * 10 + [True] * 489


def test_a_device_is_over_its_limit_while_what_had_no_room_is_at_the_horizon() -> None:
    log = Log(Rules(lateness=timedelta(hours=1), most_keys=1))
    log.send(make_event(minute=0))
    assert log.send(make_event(minute=10)).late
    # An earlier one without room does not cool it.
    assert log.send(make_event(minute=5)).late
    log.send(make_event(minute=70), device="d:other")
    assert log.send(make_event(minute=70)).late


def test_what_comes_to_a_hot_device_keeps_it_hot() -> None:
    log = Log(Rules(lateness=timedelta(hours=1), most_keys=1))
    log.send(make_event(minute=0))
    assert log.send(make_event(minute=10)).late
    log.send(make_event(minute=65), device="d:other")
    # There is room again, but the first that had none is within the lateness.
    assert log.send(make_event(minute=50)).late
    # An earlier one does not cool it.
    assert log.send(make_event(minute=20)).late
    log.send(make_event(minute=100), device="d:other")
    assert log.send(make_event(minute=100)).late
