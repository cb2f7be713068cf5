"""The SDK that stores use, unchanged from npm, in Chromium and in Node, against the real system."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sdk_environment import SdkEnvironment
from webdriver import Browser, needed

# One of each type that the SDK knows, as a page calls it.
TOUR: list[dict[str, Any]] = [
    {"eventType": "search", "query": "linen 👕 blå", "searchId": "search-1"},
    {"eventType": "autocomplete", "query": ""},
    {"eventType": "collection_view", "collectionHandle": "été"},
    {"eventType": "block_view", "blockId": "block-1", "attributionToken": "token-1"},
    {"eventType": "product_impression", "productId": 7003338965178, "position": 1},
    {"eventType": "product_hover", "productId": 7003338965178, "position": 2},
    {"eventType": "product_touch", "productId": 7003338965178, "position": 3},
    {
        "eventType": "product_click",
        "productId": 7003338965178,
        "variantId": 41000000000001,
        "position": 4,
        "attributionToken": "token-1",
    },
    {"eventType": "product_view", "productId": 7003338965178},
    {"eventType": "add_to_cart", "productId": 7003338965178, "attributionToken": "token-1"},
]
COLUMNS = {
    "eventType": "event_type",
    "query": "query",
    "searchId": "search_id",
    "collectionHandle": "collection_handle",
    "blockId": "block_id",
    "attributionToken": "attribution_token",
    "productId": "product_id",
    "variantId": "variant_id",
    "position": "position",
}
# Over 64 KiB, within the 1 MiB that ingest takes.
BULKY = [{"eventType": "search", "query": f"{number:02}" + "x" * 1000} for number in range(100)]

TRACK = """
    const [token, sessionId, events] = given;
    const { createTracker } = await import("/track.js");
    const sdk = createTracker(token, { sessionId, deviceId: "device-1" });
    const { data, error } = await sdk.trackingEvent(events);
    return [data, error && { name: error.name, status: error.status, body: error.body }];
"""
NODE = """
    import { readFileSync } from "node:fs";
    import { createTracker } from "./track.js";
    const [token, sessionId, events] = JSON.parse(readFileSync(0));
    const sdk = createTracker(token, { sessionId, deviceId: "device-1" });
    const { data, error } = await sdk.trackingEvent(events);
    console.log(JSON.stringify(
        [data, error && { name: error.name, status: error.status, body: error.body }]));
"""


@pytest.fixture
def page(sdk_pages: SdkEnvironment, browser: Browser) -> SdkEnvironment:
    """The browser shows an empty page of the origin that may send."""
    browser.open(f"{sdk_pages.pages}/bare.html")
    return sdk_pages


@pytest.fixture
def foreign_page(sdk_pages: SdkEnvironment, browser: Browser) -> SdkEnvironment:
    """The same page under the origin that may not."""
    browser.open(f"{sdk_pages.pages.replace('127.0.0.1', 'localhost')}/bare.html")
    return sdk_pages


def track(browser: Browser, token: str, session: str, events: list[dict[str, Any]]) -> list[Any]:
    """The SDK's own answer in the page: data and error."""
    return list(browser.run(TRACK, token, session, events))


def in_node(
    environment: SdkEnvironment, sdk: Path, token: str, session: str, events: list[Any]
) -> list[Any]:
    (sdk / "track.js").write_text(environment.example("js", "// track.js"))
    (sdk / "drive.mjs").write_text(NODE)
    done = subprocess.run(
        [needed("node", "it is Node 20 or later"), "drive.mjs"],
        cwd=sdk,
        input=json.dumps([token, session, events]),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def asked(browser: Browser, environment: SdkEnvironment, kind: str) -> list[tuple[str, int | None]]:
    """Method and status of each request of that kind to ingest."""
    return [
        (one.method, one.status)
        for one in browser.requests()
        if one.url.startswith(environment.server) and one.kind == kind
    ]


def nothing_arrived(
    environment: SdkEnvironment, browser: Browser, sessions: list[str], fence: str
) -> None:
    """An event sent later by an allowed page has arrived, and none of `sessions`."""
    browser.open(f"{environment.pages}/bare.html")
    assert track(browser, environment.token, fence, TOUR[:1]) == [{"ok": True}, None]
    environment.arrived(fence, 1)
    for session in sessions:
        assert environment.events(session) == []
        assert (
            environment.rows("SELECT 1 FROM rejected_events WHERE raw LIKE ?", f"%{session}%") == []
        )


def tour(session: str) -> list[dict[str, Any]]:
    """The first has an id of the page's own, the others get theirs from the SDK."""
    return [{**TOUR[0], "eventId": f"search of {session}"}, *TOUR[1:]]


def is_the_tour(events: list[dict[str, Any]], session: str) -> None:
    """Every event of the tour with every field that was sent."""
    by_type = {event["event_type"]: event for event in events}
    for sent in tour(session):
        event = by_type[sent["eventType"]]
        for field, column in COLUMNS.items():
            assert event[column] == sent.get(field), (sent, column)
        assert event["event_id"] == sent.get("eventId", event["event_id"])
        assert (event["session_id"], event["device_id"]) == (session, "device-1")
        assert event["store_id"] == "shop"
    assert len({event["event_id"] for event in events}) == len(TOUR)


def test_every_type_with_every_field_arrives_once_by_beacon(
    page: SdkEnvironment, browser: Browser
) -> None:
    assert track(browser, page.token, "beacon", tour("beacon")) == [{"ok": True}, None]
    is_the_tour(page.arrived("beacon", len(TOUR)), "beacon")
    assert browser.console() == []


def test_a_beacon_is_preflighted_and_answered_204(page: SdkEnvironment, browser: Browser) -> None:
    assert track(browser, page.token, "one", TOUR[:1]) == [{"ok": True}, None]
    page.arrived("one", 1)
    requests = browser.requests()
    kinds = {(one.kind, one.method, one.status) for one in requests if page.server in one.url}
    assert ("Ping", "POST", 204) in kinds
    # The browser caches an allowed preflight, so another test may have made it.
    assert kinds <= {("Ping", "POST", 204), ("Preflight", "OPTIONS", 204)}


def test_over_64_kib_every_event_arrives_once_by_fetch(
    page: SdkEnvironment, browser: Browser
) -> None:
    assert len(json.dumps(BULKY)) > 64 * 1024
    assert track(browser, page.token, "bulky", BULKY) == [{"ok": True}, None]
    assert asked(browser, page, "Fetch") == [("POST", 204)]
    events = page.arrived("bulky", len(BULKY))
    assert {event["query"] for event in events} == {sent["query"] for sent in BULKY}
    assert browser.console() == []


def test_events_sent_while_the_page_unloads_arrive(page: SdkEnvironment, browser: Browser) -> None:
    browser.run(
        """
        const [token, away] = given;
        const { createTracker } = await import("/track.js");
        const sdk = createTracker(token, { sessionId: "leaving", deviceId: "device-1" });
        const view = { eventType: "product_view", productId: 3 };
        addEventListener("pagehide", () => sdk.trackingEvent(view));
        setTimeout(() => {
            for (const productId of [1, 2]) sdk.trackingEvent({ ...view, productId });
            location.href = away;
        });
        """,
        page.token,
        f"{page.pages}/shirt.html",
    )
    events = page.arrived("leaving", 3)
    assert sorted(event["product_id"] for event in events) == [1, 2, 3]


def test_nothing_arrives_from_a_page_that_may_not_send(
    foreign_page: SdkEnvironment, browser: Browser
) -> None:
    environment = foreign_page
    # The SDK cannot know, because the browser queues the beacon.
    assert track(browser, environment.token, "foreign-1", TOUR) == [{"ok": True}, None]
    data, error = track(browser, environment.token, "foreign-2", BULKY)
    assert (data, error["name"]) == (None, "TypeError")
    # A string needs no preflight: it reaches ingest, which refuses it.
    body = {"event_type": "search", "query": "", "session_id": "foreign-3", "timestamp": 0}
    assert browser.run(
        "return navigator.sendBeacon(given[0], given[1]);",
        f"{environment.server}/beacon?token={environment.token}",
        json.dumps({"events": [body]}),
    )
    status = browser.run(
        "return fetch(given[0], {method: 'POST', body: given[1], mode: 'no-cors'})"
        ".then((answer) => answer.type);",
        f"{environment.server}/beacon?token={environment.token}",
        json.dumps({"events": [body]}),
    )
    assert status == "opaque"
    assert ("POST", 403) in asked(browser, environment, "Fetch")
    said = browser.console()
    assert len([line for line in said if "blocked by CORS policy" in line]) >= 2, said
    nothing_arrived(environment, browser, ["foreign-1", "foreign-2", "foreign-3"], "fence-1")


def test_nothing_arrives_with_an_unknown_token(page: SdkEnvironment, browser: Browser) -> None:
    assert track(browser, "unknown", "nobody-1", TOUR) == [{"ok": True}, None]
    data, error = track(browser, "unknown", "nobody-2", BULKY)
    assert data is None
    assert error == {"name": "ApiError", "status": 401, "body": {"error": "Unauthenticated"}}
    assert any("401" in line for line in browser.console())
    nothing_arrived(page, browser, ["nobody-1", "nobody-2"], "fence-2")


def test_more_than_1000_events_in_one_call_are_refused_whole(
    page: SdkEnvironment, browser: Browser
) -> None:
    many = [{"eventType": "search", "query": f"{number}"} for number in range(1001)]
    data, error = track(browser, page.token, "many", many)
    assert (data, error["status"]) == (None, 422)
    assert "1001" in error["body"]["errors"][0]
    nothing_arrived(page, browser, ["many"], "fence-3")


def test_in_node_every_event_arrives_once(environment: SdkEnvironment, sdk: Path) -> None:
    assert in_node(environment, sdk, environment.token, "node", tour("node")) == [
        {"ok": True},
        None,
    ]
    is_the_tour(environment.arrived("node", len(TOUR)), "node")


def test_in_node_an_unknown_token_is_an_error(environment: SdkEnvironment, sdk: Path) -> None:
    data, error = in_node(environment, sdk, "unknown", "node-nobody", TOUR)
    assert data is None
    assert error == {"name": "ApiError", "status": 401, "body": {"error": "Unauthenticated"}}
    environment.settle()
    assert environment.events("node-nobody") == []
