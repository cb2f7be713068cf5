"""A crowd that asks for one thing delays nothing else, and is told when it is too large."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from dashboard_shop import Answered, Served, serving
from processes import wait_for
from starlette.requests import Request
from starlette.responses import Response

from pipeline.config import Settings
from pipeline.dashboard import server
from pipeline.dashboard.pages import Pages

Crowd = list["Future[Answered]"]
# More than Starlette has threads for all kinds together.
MANY = 60


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every file is being made until this is set."""
    done, made = threading.Event(), Pages.csv

    def slow(pages: Pages, request: Request) -> Response:
        done.wait(60)
        return made(pages, request)

    monkeypatch.setattr(Pages, "csv", slow)
    yield done
    done.set()


@pytest.fixture
def served(shop_settings: Settings, held: threading.Event) -> Iterator[Served]:
    with serving(shop_settings) as one:
        yield one
        held.set()


def test_a_crowd_of_files_holds_up_no_page(served: Served, held: threading.Event) -> None:
    with ThreadPoolExecutor(MANY) as clients:
        asked = [clients.submit(served.ask, "/csv/searches") for _ in range(MANY)]
        try:
            taken = sum(server.FILES)
            wait_for(lambda: sum(each.done() for each in asked) == MANY - taken)
            # All others are in threads of theirs, or wait for one.
            for path in ("/", "/version", "/section/totals", "/section/searches"):
                assert served.ask(path).status == 200
        finally:
            held.set()
        wait(asked)
    refused = [each.result() for each in asked if each.result().status != 200]
    assert len(refused) == MANY - taken
    for answer in refused:
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.text == "The dashboard is busy: try again in some seconds."


def test_what_a_full_lane_gave_back_is_taken_again(served: Served, held: threading.Event) -> None:
    held.set()
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(served.ask, "/csv/searches") for _ in range(2 * MANY)]
        assert {each.result().status for each in asked} == {200}
