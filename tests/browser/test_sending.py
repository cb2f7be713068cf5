"""Each example of docs/sending-events.md, copied out of it, run, and its events looked up."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import requests
from sdk_environment import SdkEnvironment
from webdriver import Browser, needed


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_curl(environment: SdkEnvironment, tmp_path: Path) -> None:
    needed("curl", "apt-get install curl")
    run("bash", "-e", "-c", environment.example("sh", "curl"), folder=tmp_path)
    (event,) = environment.arrived("by-curl", 1)
    assert (event["event_type"], event["query"]) == ("search", "linen")


def test_a_plain_page(environment: SdkEnvironment, browser: Browser) -> None:
    (environment.folder / "plain.html").write_text(environment.example("html", "by-page"))
    browser.open(f"{environment.pages}/plain.html")
    browser.run("document.querySelector('button').click();")
    browser.open("about:blank")
    events = environment.arrived("by-page", 3)
    assert [event["event_type"] for event in events] == [
        "product_view",
        "add_to_cart",
        "block_view",
    ]
    assert browser.console() == []


def test_a_page_with_the_sdk(sdk_pages: SdkEnvironment, browser: Browser) -> None:
    environment = sdk_pages
    (environment.folder / "linen.html").write_text(environment.example("html", "by-sdk"))
    browser.open(f"{environment.pages}/linen.html")
    browser.run("setTimeout(() => document.querySelector('a').click());")
    view, click = environment.arrived("by-sdk", 2)
    assert (view["event_type"], view["collection_handle"]) == ("collection_view", "linen")
    assert (click["event_type"], click["position"]) == ("product_click", 1)
    assert click["attribution_token"] == "token-of-the-answer"
    assert browser.console() == []


def test_node(environment: SdkEnvironment, tmp_path: Path) -> None:
    node = needed("node", "it is Node 20 or later")
    (tmp_path / "send.mjs").write_text(environment.example("js", "// send.mjs"))
    run(node, "send.mjs", folder=tmp_path)
    (event,) = environment.arrived("by-node", 1)
    assert event["query"] == "linen"


def test_python(environment: SdkEnvironment, tmp_path: Path) -> None:
    run(sys.executable, "-c", environment.example("python", "by-python"), folder=tmp_path)
    (event,) = environment.arrived("by-python", 1)
    assert (event["event_id"], event["order_id"]) == ("order-1001", "1001")
    (line,) = environment.rows("SELECT * FROM order_lines WHERE order_id = '1001'")
    assert str(line["revenue"]) == "119.8000"


def test_a_webhooks_order_and_refund_are_credited_to_the_shoppers_click(
    environment: SdkEnvironment, tmp_path: Path
) -> None:
    click = {
        "event_type": "product_click",
        "timestamp": int(time.time() * 1000) - 60_000,
        "session_id": "by-webhook",
        "device_id": "device-2",
        "product_id": 7003338965178,
        "position": 1,
        "attribution_token": "shown-before",
    }
    query, agent = {"token": environment.token}, {"User-Agent": "Mozilla/5.0 Firefox/143.0"}
    address = f"{environment.server}/beacon"
    requests.post(address, params=query, headers=agent, json={"events": [click]}, timeout=30)
    run(sys.executable, "-c", environment.example("python", "# webhook.py"), folder=tmp_path)
    _, order, refund = environment.arrived("by-webhook", 3)
    assert (order["device_type"], order["is_server"], order["is_bot"]) == ("mobile", True, False)
    assert (refund["event_type"], refund["is_server"]) == ("refund", True)
    credited = environment.rows(
        "SELECT model, match, attributed_revenue, attributed_net_revenue FROM attribution_models"
        " WHERE attribution_token = 'shown-before'"
    )
    assert len(credited) == 5
    for row in credited:
        assert (row["match"], row["attributed_revenue"]) == ("carried", Decimal("119.8"))
        assert row["attributed_net_revenue"] == Decimal("59.9")


def test_a_rejected_event_is_found(environment: SdkEnvironment) -> None:
    bad = {"event_type": "search", "session_id": "refused", "timestamp": 0}
    answer = requests.post(
        f"{environment.server}/beacon",
        params={"token": environment.token},
        json={"events": [bad]},
        timeout=30,
    )
    assert answer.status_code == 204
    environment.settle()
    (row,) = environment.rows(environment.example("sql", "rejected_events"))
    assert "refused" in row["raw"]
    entries = requests.get(f"{environment.admin}/explain.json", timeout=30).json()["entries"]
    (entry,) = [entry for entry in entries if "refused" in entry["event"]]
    assert entry["reason"] == row["reason"]
    assert any("query" in problem for problem in entry["problems"])
