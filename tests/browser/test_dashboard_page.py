"""The dashboard in a real browser, over the environment's snapshots."""

from __future__ import annotations

import re
import struct
import time
from pathlib import Path

import requests
from browser.screenshot import HEIGHT, WIDTH, screenshot
from processes import Verb, wait_for
from sdk_environment import SdkEnvironment
from webdriver import Browser

SHOWN = "return document.querySelector('main').innerText;"
# With the user agent of a headless browser its events would count as a bot's.
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def search(environment: SdkEnvironment, query: str) -> None:
    event = {
        "event_type": "search",
        "query": query,
        "session_id": f"of {query}",
        "timestamp": int(time.time() * 1000),
    }
    answer = requests.post(
        f"{environment.server}/beacon",
        params={"token": environment.token},
        json={"events": [event]},
        headers=PERSON,
        timeout=30,
    )
    assert answer.status_code == 204
    environment.arrived(f"of {query}", 1)


def test_figures_are_shown_and_replaced_without_a_reload(
    environment: SdkEnvironment, browser: Browser, tmp_path: Path
) -> None:
    search(environment, "linen curtains")
    dashboard = Verb("dashboard", environment.settings)
    try:
        wait_for(lambda: "dashboard: http" in dashboard.said())
        found = re.search(r"dashboard: (\S+)", dashboard.said())
        assert found is not None
        browser.open(found[1])
        assert "linen curtains" in browser.run(SHOWN)
        browser.run("window.isTheSamePage = true;")
        search(environment, "velvet curtains")
        wait_for(lambda: "velvet curtains" in browser.run(SHOWN))
        assert browser.run("return window.isTheSamePage;") is True
        browser.picture(tmp_path / "dashboard.png")
        assert browser.console() == []
        assert dashboard.stop() == 0
    finally:
        dashboard.kill()


def test_the_screenshot_of_the_readme_can_be_made_again(tmp_path: Path) -> None:
    file = tmp_path / "dashboard.png"
    screenshot(file, devices=40)
    header = file.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert struct.unpack(">II", header[16:]) == (WIDTH, HEIGHT)
