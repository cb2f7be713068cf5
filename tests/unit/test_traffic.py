"""The generator shows everything that it promises; each test names a thing and counts it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from pipeline.traffic import STORES, lines, requests

END = datetime(2025, 11, 24, 12, tzinfo=UTC)
HOUR = 3_600_000
GAP = HOUR // 2

Request = dict[str, Any]
Event = dict[str, Any]


@pytest.fixture(scope="module")
def recorded() -> list[Request]:
    return [json.loads(line) for line in lines(7, devices=3000, end=END)]


@pytest.fixture(scope="module")
def events(recorded: list[Request]) -> list[tuple[Request, Event]]:
    return [(request, event) for request in recorded for event in request["events"]]


def milliseconds(event: Event) -> int:
    stamp = event["timestamp"]
    if isinstance(stamp, int):
        return stamp
    parsed = datetime.fromisoformat(stamp)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def of(events: list[tuple[Request, Event]], *types: str) -> list[Event]:
    return [event for _, event in events if event["event_type"] in types]


def identity(request: Request, event: Event) -> tuple[str, str]:
    return request["store"], event.get("device_id") or f"session {event.get('session_id')}"


def visits(events: list[tuple[Request, Event]]) -> Iterator[list[int]]:
    times: dict[Any, set[int]] = defaultdict(set)
    for request, event in events:
        times[*identity(request, event), event.get("session_id")].add(milliseconds(event))
    yield from (sorted(of_one) for of_one in times.values())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = list(lines(1, devices=50, end=END))
    assert first == list(lines(1, devices=50, end=END))
    assert first != list(lines(2, devices=50, end=END))


def test_a_line_is_a_request_and_its_newline() -> None:
    made = list(lines(1, devices=20, end=END))
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in made)
    assert [json.loads(line) for line in made] == list(requests(1, devices=20, end=END))


def test_requests_come_in_the_order_of_arrival_and_within_the_span(recorded: list[Request]) -> None:
    arrivals = [request["received_at"] for request in recorded]
    last = round(END.timestamp() * 1000)
    assert arrivals == sorted(arrivals)
    assert last - 7 * 24 * HOUR <= arrivals[0] <= arrivals[-1] <= last


def test_stores_can_be_named_and_the_span_be_short() -> None:
    made = list(requests(3, devices=40, end=END, span=timedelta(hours=2), stores=["only"]))
    assert {request["store"] for request in made} == {"only"}


def test_the_rates_are_those_of_a_shop(events: list[tuple[Request, Event]]) -> None:
    count = Counter(event["event_type"] for _, event in events)
    assert 0.03 < count["product_click"] / count["product_impression"] < 0.08
    assert 0.07 < count["add_to_cart"] / count["product_view"] < 0.14
    orders = {
        (request["store"], event.get("order_id"))
        for request, event in events
        if event["event_type"] == "purchase"
    }
    assert 0.2 < len(orders) / count["add_to_cart"] < 0.4


def test_a_request_holds_about_three_events(
    recorded: list[Request], events: list[tuple[Request, Event]]
) -> None:
    assert 2.5 < len(events) / len(recorded) < 4
    assert all(1 <= len(request["events"]) <= 100 for request in recorded)


def test_all_stores_event_types_and_currencies_are_met(events: list[tuple[Request, Event]]) -> None:
    assert {request["store"] for request, _ in events} == set(STORES)
    assert len({event["event_type"] for _, event in events}) == 12 + 1  # and one unknown
    currencies: dict[str, set[str]] = defaultdict(set)
    for request, event in events:
        if event["event_type"] == "purchase":
            currencies[request["store"]].add(event["currency"])
    assert {"USD", "EUR", "JPY", "KWD"} <= set().union(*currencies.values())
    assert any(len(of_one) > 1 for of_one in currencies.values())


def test_timestamps_come_in_four_forms(events: list[tuple[Request, Event]]) -> None:
    stamps = [event["timestamp"] for _, event in events]
    texts = [stamp for stamp in stamps if isinstance(stamp, str)]
    assert len(texts) < len(stamps)
    assert any(text.endswith("Z") for text in texts)
    assert any(text.endswith("+05:30") for text in texts)
    assert any(len(text) == len("2025-11-24T12:00:00.000") for text in texts)


def test_optional_fields_are_there_and_not_there(events: list[tuple[Request, Event]]) -> None:
    for name in ("event_id", "device_id", "customer_id", "shopping_channel", "marketing_source"):
        assert 0 < sum(name in event for _, event in events) < len(events), name
    assert any(event.get("customer_id", "") is None for _, event in events)
    views = of(events, "product_view")
    assert {type(event["product_id"]) for event in views if "product_id" in event} == {int, str}


def test_queries_hold_more_than_ascii(events: list[tuple[Request, Event]]) -> None:
    queries = {event["query"] for event in of(events, "search")}
    assert any(not query.isascii() for query in queries)
    assert any("👟" in query for query in queries)
    assert "<b>sale</b>" in queries


def test_headers_tell_bots_apps_prefetches_and_places(recorded: list[Request]) -> None:
    agents = [request["headers"].get("user-agent", "") for request in recorded]
    for part in ("Googlebot", "HeadlessChrome", "iPhone", "Firefox"):
        assert any(part in agent for agent in agents), part
    assert "" in agents
    for name in ("x-requested-with", "cf-ipcountry", "sec-purpose"):
        assert any(name in request["headers"] for request in recorded), name


def test_clicks_carry_tokens_and_some_carts_do_not(events: list[tuple[Request, Event]]) -> None:
    clicks, carts = of(events, "product_click"), of(events, "add_to_cart")
    clicked = {event.get("attribution_token") for event in clicks}
    carried = [event["attribution_token"] for event in carts if "attribution_token" in event]
    assert 0 < len(carried) < len(carts)
    assert any(token not in clicked for token in carried)
    assert len({len(token) for token in clicked if token}) > 2


def test_one_token_is_seen_in_many_sessions(events: list[tuple[Request, Event]]) -> None:
    sessions: dict[str, set[str]] = defaultdict(set)
    for event in of(events, "search"):
        sessions[event["attribution_token"]].add(event.get("session_id", ""))
    assert max(len(of_one) for of_one in sessions.values()) > 2


def test_orders_come_in_every_style(events: list[tuple[Request, Event]]) -> None:
    purchases = of(events, "purchase")
    items = [event["items"] for event in purchases if "items" in event]
    assert any(len(lines_) > 1 for lines_ in items)
    assert any("attribution_token" in line for lines_ in items for line in lines_)
    assert any("attribution_token" in event for event in purchases)
    assert any("order_id" not in event for event in purchases)
    assert any("product_id" in event for event in purchases)
    assert any("variant_id" in line for lines_ in items for line in lines_)
    prices = [line.get("price") for lines_ in items for line in lines_]
    assert {type(price) for price in prices} == {int, float, str, type(None)}


def test_another_seed_makes_other_orders() -> None:
    seeds = [
        {
            (request["store"], event["order_id"])
            for request in requests(seed, devices=300, end=END)
            for event in request["events"]
            if event.get("event_type") == "purchase" and "order_id" in event
        }
        for seed in (7, 8)
    ]
    assert all(len(orders) > 5 for orders in seeds)
    assert not seeds[0] & seeds[1]


def test_orders_are_told_twice_by_pixel_and_server(events: list[tuple[Request, Event]]) -> None:
    tellers: dict[Any, set[str]] = defaultdict(set)
    for request, event in events:
        if event["event_type"] == "purchase" and "order_id" in event:
            tellers[request["store"], event["order_id"]].add(str(event.get("device_id")))
    assert sum(len(of_one) > 1 for of_one in tellers.values()) > 5


def test_refunds_are_whole_in_parts_early_and_unknown(events: list[tuple[Request, Event]]) -> None:
    bought: dict[Any, int] = {}
    refunds: dict[Any, list[Request]] = defaultdict(list)
    for request, event in events:
        order = (request["store"], event.get("order_id"))
        if event["event_type"] == "purchase":
            bought.setdefault(order, request["received_at"])
        elif event["event_type"] == "refund":
            refunds[order].append(request)
    assert any(order not in bought for order in refunds)
    assert any(len(of_one) > 1 for of_one in refunds.values())
    assert any(
        request["received_at"] < bought.get(order, 0)
        for order, of_one in refunds.items()
        for request in of_one
    )


def test_silences_lie_on_both_sides_of_the_gap(events: list[tuple[Request, Event]]) -> None:
    silences = {after - before for times in visits(events) for before, after in pairwise(times)}
    assert {GAP - 1, GAP, GAP + 1} <= silences


def test_some_sessions_span_midnight(events: list[tuple[Request, Event]]) -> None:
    day = 24 * HOUR
    assert any(
        before // day < after // day and after - before <= GAP
        for times in visits(events)
        for before, after in pairwise(times)
    )


def test_one_session_id_is_used_by_several_devices(events: list[tuple[Request, Event]]) -> None:
    owners: dict[str, set[Any]] = defaultdict(set)
    for request, event in events:
        if "device_id" in event and "session_id" in event:
            owners[event["session_id"]].add(identity(request, event))
    assert any(len(of_one) > 1 for of_one in owners.values())


def test_whole_requests_are_posted_again(recorded: list[Request]) -> None:
    posted = Counter(
        json.dumps([request["store"], request["events"]])
        for request in recorded
        if len(request["events"]) > 1
    )
    assert sum(count > 1 for count in posted.values()) > 10


def test_an_event_id_returns_with_the_same_and_with_another_payload(
    events: list[tuple[Request, Event]],
) -> None:
    payloads: dict[Any, list[str]] = defaultdict(list)
    for request, event in events:
        if "event_id" in event:
            key = (*identity(request, event), event["event_id"])
            payloads[key].append(json.dumps(event, sort_keys=True))
    repeated = [of_one for of_one in payloads.values() if len(of_one) > 1]
    assert any(len(set(of_one)) == 1 for of_one in repeated)
    assert any(len(set(of_one)) > 1 for of_one in repeated)


def test_one_event_id_is_used_by_several_devices(events: list[tuple[Request, Event]]) -> None:
    owners: dict[str, set[Any]] = defaultdict(set)
    for request, event in events:
        if "event_id" in event and "session_id" in event:
            owners[event["event_id"]].add(identity(request, event))
    assert any(len(of_one) > 1 for of_one in owners.values())


def test_events_arrive_out_of_order_and_some_beyond_the_lateness(
    events: list[tuple[Request, Event]],
) -> None:
    ages = [request["received_at"] - milliseconds(event) for request, event in events]
    assert sum(HOUR < age < 72 * HOUR for age in ages) > 10
    assert sum(age > 72 * HOUR for age in ages) > 10
    assert max(ages) < 30 * 24 * HOUR


def test_some_clocks_are_an_hour_or_a_year_ahead(events: list[tuple[Request, Event]]) -> None:
    ahead = [milliseconds(event) - request["received_at"] for request, event in events]
    assert any(HOUR / 2 < by <= HOUR for by in ahead)
    assert any(by > 300 * 24 * HOUR for by in ahead)


def test_some_events_are_invalid_each_in_its_own_way(events: list[tuple[Request, Event]]) -> None:
    everything = [event for _, event in events]
    assert of(events, "page_view")
    assert any("product_id" not in event for event in of(events, "product_view"))
    assert any(event.get("position") == 0 for event in everything)
    assert any(event.get("product_id") == 1e20 for event in everything)
    assert any("session_id" not in event for event in everything)


def test_some_things_happen_in_one_millisecond(events: list[tuple[Request, Event]]) -> None:
    def moments(event_type: str) -> set[Any]:
        return {
            (*identity(request, event), milliseconds(event))
            for request, event in events
            if event["event_type"] == event_type
        }

    assert moments("product_click") & moments("product_view")
