"""Texts that a sender chose stand nowhere on the page as they are, and choose what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from dashboard_shop import Served, publish, serving, visit
from factories import Log, make_event
from page_text import text_of, tile

from pipeline.config import Settings
from pipeline.printable import printable

# What an address means by these is the absence, or all; an escape; what a terminal or a page obeys.
TEXTS = ["-", "--", "*", "\\u002d", "a\\b", "\x01\u202eevil\u2066", "\x85\ufeffx", "<b>&amp;"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = Log()
    for number, text in enumerate(TEXTS):
        named = {"marketing_source": text, "marketing_campaign": text, "query": text}
        device = f"d:{number}"
        log.send(*visit(0, token=text, order=text, **named), store="*", device=device)
        shown = {"block_id": text, "attribution_token": text, "product_id": None}
        log.send(make_event("block_view", 1, session_id="at 0", **shown), store="*", device=device)
    log.send(*visit(0, order="without"), store="*", device="d:without")
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("texts"), dashboard_port=0)
    publish(settings, log)
    with serving(settings) as one:
        yield one


def options(page: str, name: str) -> dict[str, str]:
    """What is shown of each choice of a filter, and what it sends."""
    (chooser,) = re.findall(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    found = re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)<', chooser)
    return {unescape(shown): unescape(value) for value, shown in found}


def chosen(page: str, name: str) -> str:
    """What is shown of the choice of a filter."""
    (chooser,) = re.findall(rf'<select name="{name}".*?</select>', page, re.DOTALL)
    (found,) = re.findall(r"<option [^>]*selected[^>]*>([^<]*)<", chooser)
    return unescape(found)


@pytest.mark.parametrize("name", ["campaign", "source"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_each_text_is_chosen_as_itself(served: Served, name: str, text: str) -> None:
    sent = options(served.get(), name)[printable(text)]
    page = served.get(**{name: sent})
    assert tile(page, "Orders").split()[0] == "1"
    assert "No session of these days" not in text_of(page)
    assert options(page, name)[printable(text)] == sent
    assert chosen(page, name) == printable(text)


def test_the_absence_of_a_campaign_is_no_campaign(served: Served) -> None:
    page = served.get()
    assert options(page, "campaign")["None"] == "-"
    without = served.get(campaign="-")
    assert (chosen(without, "campaign"), tile(without, "Orders").split()[0]) == ("None", "1")
    assert "is without a channel" in text_of(served.get(channel="-"))


def test_a_store_with_the_name_of_all_is_a_store(served: Served) -> None:
    sent = options(served.get(), "store")["*"]
    assert sent == "\\u002a"
    assert tile(served.get(store=sent), "Orders").split()[0] == str(len(TEXTS) + 1)


def test_no_answer_has_what_a_page_or_terminal_obeys(served: Served) -> None:
    raw = TEXTS[5]
    for path, wanted in (
        ("/", {"whole": "1"}),
        ("/", {"campaign": raw, "searches.find": raw, "whole": "1"}),
        ("/", {"store": raw}),
        ("/section/searches", {"searches.find": raw}),
    ):
        text = served.ask(path, **wanted).text
        assert [line for line in text.splitlines() if printable(line) != line] == []
