"""The page over a real socket and real snapshots, hostile ones among them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import datetime, timedelta

import duckdb
import pytest
from careless import client
from dashboard_shop import Served, basic, history, publish, serving
from page_text import section, text_of, tile
from processes import announced, run_python
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from pipeline.config import Settings
from pipeline.dashboard.headers import HEADERS
from pipeline.dashboard.pages import Pages
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.load.running import Running
from pipeline.warehouse.sql import files

HOSTILE = "</option><script>alert('store')</script>\"'&"
MARKUP = "<img src=x onerror=alert(1)>"


def test_without_a_snapshot_the_page_says_so_and_recovers(
    served: Served, settings: Settings
) -> None:
    page = served.get()
    assert "No snapshot has been published yet" in page
    assert "pipeline status" in page
    assert served.get("/version") == ""
    assert served.ask("/section/searches").status == 404
    publish(settings, history())
    assert "No snapshot has been published yet" not in served.get()


def test_a_snapshot_without_events_says_so(served: Served, settings: Settings) -> None:
    connect_live(settings.database, settings.rules).close()
    page = served.get()
    assert "No events yet" in page
    assert "pipeline stores add NAME" in page  # what to do next
    assert served.ask("/csv/products").status == 404


def test_a_file_that_is_not_a_database_is_no_server_error(
    served: Served, settings: Settings
) -> None:
    settings.database.write_bytes(b"rubbish" * 4096)
    assert "The snapshot cannot be read" in served.get()


@pytest.mark.parametrize("lacks", ["TABLE daily_traffic", "COLUMN expired"])
def test_a_snapshot_of_another_version_says_so(
    served: Served, settings: Settings, lacks: str
) -> None:
    connect_live(settings.database, settings.rules).close()
    with duckdb.connect(settings.database) as connection:
        of = "" if lacks.startswith("TABLE") else "ALTER TABLE ledger "
        connection.execute(f"{of}DROP {lacks}")
    assert "published by another version" in served.get()


def test_endless_queries_are_reported_on_the_page(settings: Settings) -> None:
    # About ten seconds of work, so that a failing test ends.
    long = "SELECT 's' AS store_id, DATE '2025-01-01' AS day FROM range(500000000)"
    with connect_live(settings.database, settings.rules) as connection:
        connection.execute("INSERT INTO stores VALUES ('s', 'UTC', '')")
        connection.execute("DROP TABLE daily_traffic")
        connection.execute(f"CREATE VIEW daily_traffic AS {long}")
    hasty = settings.model_copy(update={"query_timeout": timedelta(milliseconds=200)})
    with serving(hasty) as served:
        answer = served.ask()
    assert answer.status == 503
    assert "no answer within 0.2 s" in answer.text


def test_the_totals_are_those_of_the_snapshot(shop: Served) -> None:
    page = shop.get(store="atelier", compare="week")
    assert "150.00 USD" in tile(page, "Gross revenue")
    assert "125.00 USD" in tile(page, "Net revenue")
    assert "25.00 USD" in tile(page, "Refunds")
    assert tile(page, "Orders").startswith("2")
    assert tile(page, "Sessions").startswith("4")
    assert tile(page, "Conversion").startswith("50.0 %")
    seen = text_of(page)
    assert "62 events, 0 duplicates, 0 failed and 0 expired, from 18 records" in seen
    assert "Stream time 2025-11-24 16:30:00 UTC" in seen


def test_money_has_its_decimal_places_and_is_not_summed_across_currencies(shop: Served) -> None:
    gross = tile(shop.get(store="atelier"), "Gross revenue")
    assert "5,000 JPY" in gross
    assert "5,150" not in gross


def test_bots_are_counted_beside(shop: Served) -> None:
    assert "bots:" not in tile(shop.get(store="atelier"), "Sessions")
    assert tile(shop.get(store="atelier", bots="beside"), "Sessions").endswith("bots: 1")


def test_a_slow_section_comes_after_the_page_and_then_with_it(
    served: Served, settings: Settings
) -> None:
    publish(settings, history())
    page = served.get(store="atelier")
    assert "Counting" in section(page, "searches")
    assert 'data-later="/section/searches?store=atelier"' in page
    assert "linen" in section(served.get("/section/searches", store="atelier"), "searches")
    assert "linen" in section(served.get(store="atelier"), "searches")


def test_a_whole_page_needs_no_scripts(shop: Served) -> None:
    page = shop.get(store="atelier", whole="1")
    assert 'data-later="' not in page
    assert "linen" in section(page, "searches")
    assert "token-of-linen Stands for linen" in section(page, "tokens")
    assert "whole=1" not in page  # no link leads to it again


def test_every_section_shows_something_of_the_shop(shop: Served) -> None:
    page = shop.get(store="*", whole="1")
    names = re.findall(r'<section id="([a-z]+)"', page)
    assert len(names) == 16
    empty = {name for name in names if "Nothing on these days" in section(page, name)}
    assert empty == set()


def test_hostile_names_queries_and_tokens_are_text(served: Served, settings: Settings) -> None:
    publish(settings, history(HOSTILE, term=MARKUP))
    page = served.get(store=HOSTILE, whole="1")
    assert page.count("<script>") == 1  # our own
    assert "<img" not in page
    assert "&lt;script&gt;alert(&#x27;store&#x27;)" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert HOSTILE not in served.ask(store=f"{HOSTILE}?").text


def test_direction_changing_characters_are_shown_as_text(
    served: Served, settings: Settings
) -> None:
    hostile = "a\x9b2J\u202eb\u2066"
    publish(settings, history(hostile))
    page = served.get(store=hostile)
    assert not set(page) & set("\x9b\u202e\u2066")
    assert "a\ufffd2J\ufffdb\ufffd" in text_of(page)
    # The form sends the store's name in other letters, which stand for it.
    sent = "a\\u009b2J\\u202eb\\u2066"
    assert f'value="{sent}" selected' in page
    assert tile(served.get(store=sent), "Orders") == tile(page, "Orders")


def test_a_replaced_snapshot_is_shown_at_once(served: Served, settings: Settings) -> None:
    publish(settings, history(price="111"))
    before = served.get("/version")
    assert "111.00" in served.get()
    publish(settings, history(price="333"))
    assert served.get("/version") != before
    page = served.get(whole="1")
    assert "333.00" in page
    assert "111.00" not in page


def test_with_a_held_snapshot_the_page_keeps_the_one_before(
    served: Served, settings: Settings
) -> None:
    publish(settings, history(price="111"))
    before = served.get("/version")
    assert "could be read" not in served.get()
    publish(settings, history(price="333"))
    with client(settings.database):
        for _ in range(2):
            page = served.get()
            assert "111.00" in page
            assert f'data-version="{before}"' in page  # so that it asks again
            assert "This is the last snapshot that could be read. The snapshot cannot be" in page
    assert "333.00" in served.get()
    assert "could be read" not in served.get()


def test_a_snapshot_held_from_the_start_is_reported(served: Served, settings: Settings) -> None:
    publish(settings, history(price="111"))
    with client(settings.database):
        assert "The snapshot cannot be read: Could not set lock" in served.get()
    assert "111.00" in served.get()


def test_the_page_names_the_version_that_it_shows(shop: Served) -> None:
    assert f'data-version="{shop.get("/version")}"' in shop.get()


def test_old_figures_are_said_to_be_old(served: Served, settings: Settings) -> None:
    publish(settings, history())
    assert 'id="old" hidden' in served.get()
    os.utime(settings.database, (0, 0))
    page = served.get()
    assert 'id="old" hidden' not in page
    assert "These figures are old" in text_of(page)


def test_figures_are_not_old_while_a_loader_says_that_nothing_has_come(
    served: Served, settings: Settings
) -> None:
    publish(settings, history())
    loader = Running(settings.home)
    os.utime(settings.database, (0, 0))
    loader.published()
    assert "x-complete-until" not in served.ask("/version").headers
    assert 'id="old" hidden' not in served.get()
    now = int(time.time())
    loader.complete(now)
    page = served.get()
    assert 'id="old" hidden' in page
    assert 'id="quiet" hidden' not in page
    told = served.ask("/version").headers["x-complete-until"]
    assert datetime.fromisoformat(told).timestamp() == now
    assert f'data-complete="{told}"' in page
    loader.complete(now - 3600)
    assert 'id="old" hidden' not in served.get()
    loader.complete(now)
    loader.close()  # a loader that died says nothing
    assert 'id="old" hidden' not in served.get()


def test_what_an_address_names_in_vain_is_said(shop: Served) -> None:
    vain = "Not understood in the address: "
    page = text_of(shop.get(**{"chanel": "web", "nothing.find": "x", "products.fine": "x"}))
    assert f"{vain}“chanel”, “nothing.find”, “products.fine”." in page
    known = {
        "compare": "week",
        "products.find": "x",
        "products.page": "2",
        "products.sort": "-units",
    }
    assert vain not in text_of(shop.get(**known))
    hostile = shop.get(**{MARKUP: "1"})
    assert MARKUP not in hostile
    assert vain in text_of(hostile)


def test_few_orders_are_said_to_be_few(shop: Served) -> None:
    few = "Few orders: their changes, and those of revenue, may be chance."
    assert few in text_of(shop.get(compare="before"))
    assert few not in text_of(shop.get(compare="year"))  # there is nothing to compare with


def test_a_list_leads_to_each_section(shop: Served) -> None:
    page = shop.get()
    (jump,) = re.findall(r'<nav[^>]*id="jump".*?</nav>', page, re.DOTALL)
    links = re.findall(r'href="#([^"]+)"', jump)
    assert links == re.findall(r'<section id="([^"]+)"', page)
    assert len(links) > 10


def test_every_field_has_a_label_and_every_drawing_a_name_or_none(shop: Served) -> None:
    page = shop.get(whole="1")
    fields = re.findall(r"<(?:select|input)[^>]*>", page)
    shown = [field for field in fields if 'type="hidden"' not in field]
    labelled = re.findall(r"<label[^>]*>[^<]*<(?:select|input)", page)
    assert len(shown) == len(labelled) + sum("aria-label=" in field for field in shown)
    assert all('aria-hidden="true"' in drawing for drawing in re.findall(r"<svg [^>]*>", page))


def test_a_foreign_host_name_reads_nothing(shop: Served) -> None:
    assert shop.ask(headers={"Host": "rebound.example"}).status == 400


def test_every_answer_forbids_what_is_not_its_own(shop: Served) -> None:
    for path in ("/", "/section/products", "/csv/products", "/version", "/section/nothing"):
        headers = {name.lower(): value for name, value in shop.ask(path).headers.items()}
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; style-src 'sha256-"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_refusals_and_errors_forbid_it_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_pages: Pages, _request: Request) -> Response:
        raise ArithmeticError

    monkeypatch.setattr(Pages, "csv", fails)
    guarded = settings.model_copy(update={"dashboard_password": SecretStr("x")})
    with serving(guarded) as served:
        for path, status, headers in (
            ("/", 400, {"Host": "rebound.example"}),
            ("/", 401, {}),
            ("/nothing", 404, basic("x")),
            ("/csv/products", 500, basic("x")),
        ):
            answer = served.ask(path, headers=headers)
            assert answer.status == status
            assert HEADERS.items() <= answer.headers.items()


def test_a_taken_port_is_one_line_and_exit_code_1(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        at_port = settings.model_copy(update={"dashboard_port": port, "log_format": "text"})
        done = run_python(at_port, "-m", "pipeline", "dashboard")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"127.0.0.1:{port}" in done.stderr
    assert "set PIPELINE_DASHBOARD_PORT" in done.stderr


def test_it_prints_its_address_and_stops_on_a_signal(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "dashboard"],
        env=os.environ | {"PIPELINE_HOME": str(settings.home), "PIPELINE_DASHBOARD_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url, _ = announced(process, "dashboard")
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        process.terminate()
        assert process.wait(60) == 0


def test_each_query_documents_its_grain() -> None:
    ours = dict(files("dashboard"))
    assert ours.pop("chosen").startswith("-- ")
    assert all("Grain:" in text.splitlines()[0] for text in ours.values())
