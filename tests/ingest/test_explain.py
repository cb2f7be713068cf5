from __future__ import annotations

import html
import json
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.delivery.publisher import MemoryPublisher
from pipeline.ingest.explain import MOST, Explained
from pipeline.ingest.problems import problems_of
from pipeline.sockets import is_loopback
from pipeline.topics import Rejected

SEARCH = {"event_type": "search", "timestamp": "2026-07-01T12:00:00Z", "session_id": "s"}
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


@pytest.fixture
def explaining(settings: Settings, serve: Any) -> Any:
    return serve(settings, MemoryPublisher(), explained=Explained())


def test_accepted_and_refused_events_are_shown_newest_first(explaining: Any) -> None:
    events = [{**SEARCH, "query": "shoes"}, {"event_type": "view"}]
    assert explaining.post({"events": events}).status == 204
    refused, accepted = explaining.page("/explain.json").json()["entries"]
    assert (accepted["store"], accepted["reason"], accepted["problems"]) == ("shop", "accepted", [])
    assert (accepted["status"], accepted["time"]) == (204, "2026-07-01T12:00:00.000Z")
    assert json.loads(accepted["event"])["query"] == "shoes"
    assert json.loads(refused["event"]) == {"event_type": "view"}
    assert "event_type" in refused["problems"][0]
    page = explaining.page("/explain")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for entry in (accepted, refused):
        assert html.escape(entry["event"]) in page.data.decode()


def test_what_was_repaired_and_ignored_is_shown_by_field(explaining: Any) -> None:
    dropped = {"variant_id": "x", "items": 3, "timestamp": "2026-07-01T14:00:00+02:00"}
    event = {**SEARCH, "query": 7, "th<me": 1, **dropped}
    assert explaining.post({"events": [event]}).status == 204
    (entry,) = explaining.page("/explain.json").json()["entries"]
    assert entry["repaired"] == ["query: respelled"]
    assert entry["ignored"] == ["items: unreadable", "variant_id: unreadable", "th<me"]
    assert entry["problems"] == []
    page = explaining.page("/explain").data.decode()
    assert "<li>repaired: query: respelled</li>" in page
    assert "<li>ignored: variant_id: unreadable</li>" in page
    assert "<li>ignored: th&lt;me</li>" in page


def test_every_problem_of_an_event_is_told() -> None:
    event = {"event_type": "product_click", "product_id": 0, "session_id": "", "quantity": "x"}
    raw = json.dumps(event)
    rejected = Rejected(
        store_id="a", received_at=0, index=0, reason="r", detail="product_id: first", raw=raw
    )
    found = problems_of(rejected)
    assert found[0] == "product_id: first"
    assert {line.split(":")[0] for line in found} == {
        "product_id",
        "position",
        "session_id or device_id",
        "quantity",
        "timestamp",
    }


@pytest.mark.parametrize("raw", ["", "3", "[]", "{", '{"event_type":[]}', "[" * 5000, "\ufffd"])
def test_what_is_no_event_has_a_problem_too(raw: str) -> None:
    rejected = Rejected(store_id="", received_at=0, index=0, reason="r", detail="d: e", raw=raw)
    assert problems_of(rejected)[0] == "d: e"


def test_a_request_refused_as_a_whole_is_shown_with_why(explaining: Any) -> None:
    explaining.post(b"{")
    explaining.post({"events": [SEARCH]}, token="unknown")
    unauthenticated, broken = explaining.page("/explain.json").json()["entries"]
    assert (broken["status"], broken["store"], broken["event"]) == (422, "shop", "")
    assert "not JSON" in broken["problems"][0]
    assert (unauthenticated["status"], unauthenticated["store"]) == (401, "")


def test_hostile_values_stay_text(explaining: Any) -> None:
    explaining.post({"events": [{**SEARCH, "query": HOSTILE}, {"event_type": HOSTILE}]})
    page = explaining.page("/explain")
    text = page.data.decode()
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 2
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in text.replace("http://127.0.0.1", "")


def test_what_a_terminal_or_a_browser_would_obey_is_shown_as_text(explaining: Any) -> None:
    hostile = "a\x1b]0;c\x07\x9b2J\u202eb\u2066"
    events = [{**SEARCH, "query": hostile}, {"event_type": hostile}]
    explaining.post(json.dumps({"events": events}, ensure_ascii=False).encode())
    for path in ("/explain", "/explain.json"):
        data = explaining.page(path).data.decode()
        assert not set(data) & set("\x1b\x07\x9b\u202e\u2066"), path
    accepted = explaining.page("/explain.json").json()["entries"][1]
    assert json.loads(accepted["event"])["query"] == hostile


def test_a_token_is_shown_nowhere_even_where_it_stands_in_an_event(explaining: Any) -> None:
    for token in (explaining.token, "wrong-token-canary"):
        explaining.post({"events": [{**SEARCH, "query": token}, {token: token}]}, token=token)
        explaining.post(f'{{"{token}'.encode(), token=token)
        explaining.post({"events": [{"e": token}]}, token=None, query=f"?token={token}")
    for page in ("/explain", "/explain.json"):
        shown = explaining.page(page).data.decode()
        assert "[token]" in shown
        assert explaining.token not in shown
        assert "wrong-token-canary" not in shown


def test_only_the_last_entries_are_kept(explaining: Any) -> None:
    for _ in range(6):
        explaining.post({"events": [{**SEARCH, "query": "q"}] * 100})
    assert len(explaining.page("/explain.json").json()["entries"]) == MOST


def test_a_name_of_a_stranger_that_leads_here_sees_nothing(explaining: Any) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "10.0.0.1"):
        assert explaining.page("/explain.json", host=host).status == 404
    for host in ("localhost:8080", "127.0.0.1", "[::1]:80", "[::1]"):
        assert explaining.page("/explain.json", host=host).status == 200
    assert is_loopback("127.0.0.77")


def test_at_an_address_of_all_it_is_shown_under_any_name(settings: Settings, serve: Any) -> None:
    opened = settings.model_copy(update={"admin_host": "0.0.0.0"})  # noqa: S104  # the case
    ingest = serve(opened, MemoryPublisher(), explained=Explained())
    assert ingest.page("/explain.json", host="shop.example").status == 200


def test_without_being_asked_for_there_is_no_such_page(settings: Settings, serve: Any) -> None:
    ingest = serve(settings, MemoryPublisher())
    for page in ("/explain", "/explain.json"):
        answer = ingest.page(page)
        assert (answer.status, answer.json()) == (404, {"error": "Not found"})
