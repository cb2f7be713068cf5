"""The dashboard in a real browser: what a reader does with it, and what must not be undone."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_shop import TODAY, Served, history, publish, serving
from processes import wait_for
from webdriver import Browser

from browser.screenshot import PICTURES, screenshots
from pipeline.config import Settings
from pipeline.dashboard.selection import written
from pipeline.warehouse.load.running import Running

HOSTILE = "</option><script>alert(1)</script>\u202e\"'&"
MAIN = "return document.querySelector('main').innerText;"
LATER = "return document.querySelectorAll('[data-later], [data-again]').length;"
PHONE = 390


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, dashboard_port=0)


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    publish(settings, history(), history("kiosk", price="70", partition=1))
    with serving(settings) as one:
        yield one


@pytest.fixture
def desk(browser: Browser) -> Iterator[Browser]:
    """The browser, which is no phone and light again afterwards."""
    browser.resize(1280, 900)
    yield browser
    browser.cdp("Emulation.clearDeviceMetricsOverride")
    browser.scheme("light")


def show(browser: Browser, url: str) -> None:
    """Open a page, and wait until it has all its figures."""
    browser.open(url)
    whole(browser)


def whole(browser: Browser) -> None:
    wait_for(lambda: browser.run(LATER) == 0)


def until(browser: Browser, script: str, value: Any) -> None:
    wait_for(lambda: browser.run(script) == value)


def press(browser: Browser, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.cdp("Input.dispatchKeyEvent", type=kind, key=key, code=key)


def test_figures_are_patched_in_place_while_they_are_read(
    served: Served, settings: Settings, desk: Browser
) -> None:
    show(desk, f"{served.url}/?store=atelier")
    desk.run(
        """
        window.isTheSamePage = true;
        document.querySelector("#trend-table").open = true;
        document.querySelector("#sort-searches-searches").focus();
        const words = document.querySelector("#searches tbody bdi").firstChild;
        getSelection().setBaseAndExtent(words, 0, words, 5);
        window.words = words;
        scrollTo(0, 700);
        """
    )
    read = """return [
        window.isTheSamePage, document.querySelector("#trend-table").open,
        document.activeElement.id, String(getSelection()), scrollY,
        document.querySelector("#searches tbody bdi").firstChild === window.words,
    ];"""
    before = desk.run(read)
    assert before == [True, True, "sort-searches-searches", "linen", 700, True]
    publish(settings, history(price="333"), history("kiosk", price="70", partition=1))
    wait_for(lambda: "333.00" in desk.run(MAIN))
    searches = "return document.querySelector('#searches').innerText;"
    wait_for(lambda: "333.00" in desk.run(searches))
    assert desk.run(read) == before
    assert desk.console() == []


def test_a_slow_section_is_not_asked_for_with_each_snapshot(
    served: Served, settings: Settings, desk: Browser
) -> None:
    desk.cdp("Page.enable")
    slow = """
        const own = window.fetch;
        window.asked = 0;
        window.fetch = async (url, given) => {
            if (!String(url).startsWith("/section/searches")) return own(url, given);
            window.asked += 1;
            await new Promise((done) => setTimeout(done, 3000));
            return own(url, given);
        };
    """
    added = desk.cdp("Page.addScriptToEvaluateOnNewDocument", source=slow)
    try:
        show(desk, f"{served.url}/?store=atelier")
    finally:
        desk.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    publish(settings, history(price="333"))
    older = "return document.querySelector('#searches').dataset.older;"
    until(desk, older, "/section/searches?store=atelier")
    assert "333.00" in desk.run("return document.querySelector('#totals').innerText;")
    assert desk.run("return window.asked;") == 1


def test_a_form_in_use_is_left_alone(served: Served, settings: Settings, desk: Browser) -> None:
    show(desk, f"{served.url}/?store=atelier")
    typed = "document.querySelector('#first').focus(); document.querySelector('#first').value"
    desk.run(f"{typed} = '2025-11-22';")
    publish(settings, history(price="333"))
    wait_for(lambda: "333.00" in desk.run(MAIN))
    assert desk.run("return document.querySelector('#first').value;") == "2025-11-22"
    assert desk.run("return document.activeElement.id;") == "first"


def test_a_step_to_a_section_asks_for_nothing(served: Served, desk: Browser) -> None:
    show(desk, served.url)
    desk.run(
        """
        window.fetches = [];
        const fetched = window.fetch;
        window.fetch = (address, ...more) => {
            if (address !== "/version") fetches.push(address);
            return fetched(address, ...more);
        };
        document.querySelector("#sections").open = true;
        document.querySelector("#jump [href='#products']").click();
        """
    )
    until(desk, "return location.hash;", "#products")
    top = "return Math.abs(document.querySelector('#products').getBoundingClientRect().top) < 5;"
    until(desk, top, value=True)
    desk.run("history.back();")
    until(desk, "return location.hash;", "")
    assert desk.run("return fetches;") == []


def test_rows_filter_and_back_undoes_it(served: Served, desk: Browser) -> None:
    show(desk, f"{served.url}/?store=atelier")
    desk.run("window.isTheSamePage = true;")
    links = "[...document.querySelectorAll('#campaigns a')]"
    desk.run(f"{links}.find((link) => link.innerText === 'spring').click();")
    until(desk, "return document.querySelector('#campaign').value;", "spring")
    assert desk.run("return location.search;") == "?store=atelier&campaign=spring"
    whole(desk)
    assert "wool" not in desk.run("return document.querySelector('#searches').innerText;")
    desk.run("history.back();")
    until(desk, "return document.querySelector('#campaign').value;", "")
    whole(desk)
    assert "wool" in desk.run("return document.querySelector('#searches').innerText;")
    assert desk.run("return window.isTheSamePage;") is True


def test_a_filter_is_shown_at_once_and_goes_on_following_the_traffic(
    served: Served, desk: Browser
) -> None:
    show(desk, f"{served.url}/?store=atelier&days=1")
    desk.run(
        """
        const store = document.querySelector("#store");
        store.value = "kiosk";
        store.dispatchEvent(new Event("change", { bubbles: true }));
        """
    )
    wait_for(lambda: "70.00" in desk.run(MAIN))
    assert desk.run("return location.search;") == "?days=1&store=kiosk&compare=before"


def test_the_chart_is_read_by_keys_pointer_and_finger(served: Served, desk: Browser) -> None:
    show(desk, f"{served.url}/?store=atelier&chart=orders")
    readout = "return document.querySelector('#readout').innerText;"
    desk.run("document.querySelector('#plot').focus();")
    press(desk, "Home")
    assert desk.run(readout).startswith("Mon 24 Nov 2025, 00:00: 0;")
    for _ in range(10):
        press(desk, "ArrowRight")
    assert desk.run(readout) == "Mon 24 Nov 2025, 10:00: 2; Sun 23 Nov 2025: 1"
    spoken = "return document.querySelector('#plot').getAttribute('aria-valuetext');"
    assert desk.run(spoken) == desk.run(readout)
    place = desk.run(
        """
        document.querySelector("#plot").scrollIntoView();
        const box = document.querySelector("#plot").getBoundingClientRect();
        return [box.left + box.width * 21.5 / 24, box.left + box.width * 16.5 / 24, box.top + 50];
        """
    )
    desk.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[2])
    until(desk, readout, "Mon 24 Nov 2025, 21:00: \N{EN DASH}; Sun 23 Nov 2025: 1")
    touch = [{"x": place[1], "y": place[2]}]
    desk.cdp("Input.dispatchTouchEvent", type="touchStart", touchPoints=touch)
    until(desk, readout, "Mon 24 Nov 2025, 16:00: 0 so far; Sun 23 Nov 2025: 0")
    desk.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def test_the_whole_page_is_reached_by_keyboard_in_its_order(served: Served, desk: Browser) -> None:
    show(desk, f"{served.url}/?store=*")
    found = desk.run(
        """
        const kinds = "a[href], button, select, input, summary, [tabindex]";
        const all = [...document.querySelectorAll(kinds)].filter((each) => each.type !== "hidden");
        return [
            all.filter((each) => each.tabIndex !== 0).length,
            // What is folded away is reached when it is opened.
            all.filter((each) => !each.checkVisibility()
                && (each.localName === "summary" || !each.closest("details:not([open])"))).length,
            all.length,
        ];
        """
    )
    assert found[:2] == [0, 0]
    desk.run("document.activeElement.blur(); scrollTo(0, 0);")
    reached = []
    for _ in range(6):
        desk.cdp(
            "Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        reached.append(
            desk.run("return document.activeElement.id || document.activeElement.className;")
        )
    assert reached[:3] == ["skip", "store", "first"]
    # A link is followed by Enter, and keeps the focus.
    desk.run("document.querySelector('#chart-orders').focus();")
    desk.cdp("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
    until(desk, "return document.querySelector('#chart-orders').ariaCurrent;", "true")
    assert desk.run("return document.activeElement.id;") == "chart-orders"
    assert (
        desk.run("return document.querySelector('#said').innerText;") == "The figures have changed."
    )


@pytest.mark.parametrize("width", [1280, PHONE])
def test_axe_finds_nothing_in_light_and_dark(
    served: Served, desk: Browser, sdk: Path, width: int
) -> None:
    axe = (sdk / "node_modules" / "axe-core" / "axe.min.js").read_text()
    if width == PHONE:
        desk.phone(PHONE, 844)
    show(desk, f"{served.url}/?store=*&campaign=spring&products.sort=-units&bots=beside")
    desk.run("document.querySelector('#trend-table').open = true;")
    desk.run(axe)
    for scheme in ("light", "dark"):
        desk.scheme(scheme)
        assert desk.run(f"return matchMedia('(prefers-color-scheme: {scheme})').matches;")
        found = desk.run("return (await axe.run()).violations;")
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []
    for path in ("/?store=nobody", "/?store=atelier&campaign=autumn"):
        show(desk, served.url + path)
        desk.run(axe)
        found = desk.run("return (await axe.run()).violations;")
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []


def test_on_a_phone_nothing_is_wider_than_it_and_no_column_is_lost(
    served: Served, desk: Browser
) -> None:
    desk.phone(PHONE, 844)
    show(desk, f"{served.url}/?store=*&days=2")
    assert desk.run("return [innerWidth, document.documentElement.scrollWidth];") == [PHONE, PHONE]
    cells = """
        return [...document.querySelectorAll("main td, main th")].filter((cell) => {
            const box = cell.getBoundingClientRect();
            return !cell.closest("details, .steps thead")
                && (box.width < 20 || box.left < 0 || box.right > innerWidth + 0.5);
        }).map((cell) => cell.outerHTML);
    """
    assert desk.run(cells) == []


def test_hostile_strings_neither_run_nor_turn_the_page_round(
    settings: Settings, desk: Browser
) -> None:
    publish(settings, history(HOSTILE, term="\u202e\u05e9\u05dc\u05d5\u05dd =1+1 " + "w" * 400))
    with serving(settings) as served:
        desk.phone(PHONE, 844)
        show(desk, served.url)
        assert desk.run("return document.querySelector('#store').value;") == written(HOSTILE)
        assert desk.run("return [innerWidth, document.documentElement.scrollWidth];") == [
            PHONE,
            PHONE,
        ]
        assert "\u05e9\u05dc\u05d5\u05dd" in desk.run(
            "return document.querySelector('#searches').innerText;"
        )
    assert desk.console() == []


def test_a_server_that_is_away_is_said_and_forgotten_when_it_is_back(
    served: Served, desk: Browser
) -> None:
    show(desk, served.url)
    away = "return document.querySelector('#away').checkVisibility();"
    assert desk.run(away) is False
    desk.cdp("Network.enable")
    rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    desk.cdp("Network.emulateNetworkConditions", offline=True, **rates)
    try:
        until(desk, away, value=True)
        assert "USD" in desk.run(MAIN)
    finally:
        desk.cdp("Network.emulateNetworkConditions", offline=False, **rates)
    until(desk, away, value=False)


def test_whether_nothing_came_or_nobody_loads_is_seen_without_a_new_snapshot(
    served: Served, settings: Settings, desk: Browser
) -> None:
    os.utime(settings.database, (0, 0))
    show(desk, served.url)
    seen = """return ["old", "quiet"].filter(
        (name) => document.querySelector(`#${name}`).checkVisibility());"""
    until(desk, seen, ["old"])
    loader = Running(settings.home)
    loader.complete(time.time())
    until(desk, seen, ["quiet"])
    loader.close()
    until(desk, seen, ["old"])


def test_print_has_the_figures_and_no_controls(served: Served, desk: Browser) -> None:
    show(desk, f"{served.url}/?store=atelier")
    desk.cdp("Emulation.setEmulatedMedia", media="print")
    try:
        controls = "[...document.querySelectorAll('#filters, .find, .tabs')]"
        seen = f"return {controls}.filter((each) => each.checkVisibility()).length;"
        assert desk.run(seen) == 0
        assert desk.run("return document.querySelector('#totals').checkVisibility();") is True
        assert len(desk.cdp("Page.printToPDF")["data"]) > 10_000
    finally:
        desk.cdp("Emulation.setEmulatedMedia", media="")


def test_without_scripts_links_and_forms_lead_to_the_same(served: Served, desk: Browser) -> None:
    desk.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        desk.open(f"{served.url}/?store=atelier&whole=1")
    finally:
        desk.cdp("Emulation.setScriptExecutionDisabled", value=False)
    text = desk.run(MAIN)
    assert "linen" in text
    assert "Counting" not in text
    desk.run("document.querySelector('#filters').submit();")
    until(desk, "return location.search.includes('first=" + TODAY + "');", value=True)


def test_the_pictures_of_the_documents_can_be_made_again(tmp_path: Path) -> None:
    screenshots(tmp_path, devices=40)
    for name, (width, _) in PICTURES.items():
        header = (tmp_path / name).read_bytes()[:24]
        assert header.startswith(b"\x89PNG")
        assert struct.unpack(">II", header[16:])[0] == width
