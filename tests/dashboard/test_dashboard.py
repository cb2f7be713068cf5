"""The page over a real socket and real snapshots, hostile ones among them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import uvicorn
from careless import client

from pipeline.config import Settings
from pipeline.dashboard import create_app, run
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.sql import files

HOSTILE = "</option><script>alert('store')</script>\"'&"

# One store's day, in every table that the page reads.
ROWS = """
INSERT INTO daily_traffic VALUES
    ($store, '2025-11-24', 'search', 'web', false, $events, false),
    ($store, '2025-11-24', 'search', 'web', true, 77, false);
INSERT INTO daily_sessions VALUES
    ($store, '2025-11-24', 'web', NULL, NULL, false, 200, 900, 1, 1, 150, 60, 70, 20, 5, 6, false);
INSERT INTO daily_products VALUES
    ($store, '2025-11-24', 7003338965178, false, 'JPY', 100, 0, 10, 9, 8, 1, 2, 5000),
    ($store, '2025-11-24', 7003338965178, false, 'KWD', 100, 0, 10, 9, 8, 1, 2, 12.345);
INSERT INTO daily_tokens VALUES
    ($store, '2025-11-24', '<i>token</i>', false, NULL, 0, 0, 50, 5, 0, 0, 0, 0);
INSERT INTO daily_attribution VALUES
    ($store, '2025-11-24', 'purchase', 'direct', 't', false, 'JPY', 3, 3, 3, 5000);
INSERT INTO hot_events BY NAME SELECT
    $store AS store_id, uuid() AS event_key, 'search' AS event_type,
    '2025-11-24 12:00:00' AS occurred_at, '2025-11-24 12:00:01' AS received_at,
    'd:1' AS device_key, 's' AS session_id, uuid() AS fingerprint,
    '<img src=x onerror=alert(1)>' AS search_term, 1 AS quantity, 'web' AS shopping_channel,
    false AS is_bot, false AS is_prefetch, true AS is_late, false AS is_clock_skewed,
    0 AS partition, 0 AS "offset", DATE '2025-11-24' AS day, DATE '2025-11-24' AS received_day;
INSERT INTO duplicates VALUES
    ($store, uuid(), 'conflict', '2025-11-24 12:00:02', 0, 1, '2025-11-24');
INSERT INTO rejected_events BY NAME SELECT
    $store AS store_id, '2025-11-24 12:00:03' AS received_at,
    DATE '2025-11-24' AS received_day, 0 AS index, 'too_old' AS reason,
    'x' AS detail, '{}' AS raw;
INSERT INTO daily_expired VALUES ($store, '2025-11-24', 123);
INSERT INTO ledger VALUES ('t', 0, 0, 9, '2025-11-24 12:00:00', 9, 31, 4, 0, 0, NULL, 123)
"""

Get = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, dashboard_port=0)


@pytest.fixture
def get(settings: Settings) -> Iterator[Get]:
    with serving(settings) as ask:
        yield ask


@contextmanager
def serving(settings: Settings) -> Iterator[Get]:
    """Ask a running dashboard for a path with parameters."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]

        def ask(path: str = "/", host: str | None = None, **parameters: str) -> str:
            url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}"
            headers = {} if host is None else {"Host": host}
            request = urllib.request.Request(url, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
                assert answer.status == 200
                return str(answer.read().decode())

        yield ask
        server.should_exit = True
        thread.join()


def publish(settings: Settings, *, store: str = "atelier", events: int = 1234) -> None:
    """A snapshot of one store and day, put in place as the loader does it: by a rename."""
    fresh = settings.home / "fresh.duckdb"
    with connect_live(fresh, settings.rules) as connection:
        for statement in ROWS.split(";\n"):
            values = {"store": store, "events": events}
            named = {name: value for name, value in values.items() if f"${name}" in statement}
            connection.execute(statement, named)
    fresh.replace(settings.database)


def text_of(page: str) -> str:
    """The visible text of the page."""
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare)


def test_without_a_snapshot_the_page_says_so_and_recovers(get: Get, settings: Settings) -> None:
    assert "No snapshot has been published yet" in get()
    assert get("/version") == ""
    publish(settings)
    assert "No snapshot has been published yet" not in get()


def test_a_snapshot_without_events_says_so(get: Get, settings: Settings) -> None:
    connect_live(settings.database, settings.rules).close()
    assert "No events yet" in get()


def test_a_file_that_is_not_a_database_is_no_server_error(get: Get, settings: Settings) -> None:
    settings.database.write_bytes(b"rubbish" * 4096)
    assert "The snapshot cannot be read" in get()


@pytest.mark.parametrize("lacks", ["TABLE daily_traffic", "COLUMN expired"])
def test_a_snapshot_of_another_version_says_so(get: Get, settings: Settings, lacks: str) -> None:
    publish(settings)
    with duckdb.connect(settings.database) as connection:
        of = "" if lacks.startswith("TABLE") else "ALTER TABLE ledger "
        connection.execute(f"{of}DROP {lacks}")
    assert "published by another version" in get()


def test_endless_queries_are_reported_on_the_page(settings: Settings) -> None:
    # About ten seconds of work, so that a failing test ends.
    long = "SELECT 's' AS store_id, DATE '2025-01-01' AS day FROM range(500000000)"
    with connect_live(settings.database, settings.rules) as connection:
        connection.execute("DROP TABLE daily_traffic")
        connection.execute(f"CREATE VIEW daily_traffic AS {long}")
    hasty = settings.model_copy(update={"query_timeout": timedelta(milliseconds=200)})
    with serving(hasty) as get, pytest.raises(urllib.error.HTTPError, match="503") as failed:
        get()
    assert "no answer within 0.2 s" in failed.value.read().decode()


def test_the_figures_are_those_of_the_snapshot(get: Get, settings: Settings) -> None:
    publish(settings)
    seen = text_of(get())
    for figure in (
        "1,234",
        "Sessions 200",
        "2.5 %",
        "Orders 6",
        "Late",
        "too_old",
        "Expired counted only, its time has gone 123",
    ):
        assert figure in seen, figure
    assert "77" not in re.findall(r"Events (\S+)", seen)
    assert "31 events, 4 duplicates, 0 failed and 123 expired, from 9 records" in seen
    assert "Stream time 2025-11-24 12:00:00 UTC" in seen


def test_money_has_its_decimal_places_and_is_not_summed_across_currencies(
    get: Get, settings: Settings
) -> None:
    publish(settings)
    seen = text_of(get())
    assert "5,000 JPY" in seen
    assert "12.345 KWD" in seen
    assert "5,012" not in seen


def test_hostile_names_queries_and_tokens_are_text(get: Get, settings: Settings) -> None:
    publish(settings, store=HOSTILE)
    page = get(store=HOSTILE)
    assert page.count("<script>") == 1  # our own
    assert "<img" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(&#x27;store&#x27;)" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_direction_changing_characters_are_shown_as_text(get: Get, settings: Settings) -> None:
    hostile = "a\x9b2J\u202eb\u2066"
    publish(settings, store=hostile, events=4321)
    page = get(store=hostile)
    shown = re.sub(r'value="[^"]*"', "", page)
    assert not set(shown) & set("\x9b\u202e\u2066")
    assert "a\ufffd2J\ufffdb\ufffd" in text_of(page)
    # The form sends the store name unchanged.
    assert f'value="{hostile}" selected' in page
    assert "4,321" in page


def test_a_replaced_snapshot_is_shown_at_once(get: Get, settings: Settings) -> None:
    publish(settings, events=1111)
    before = get("/version")
    assert "1,111" in get()
    publish(settings, events=2222)
    assert get("/version") != before
    assert "2,222" in get()
    assert "1,111" not in get()


def test_with_a_held_snapshot_the_page_keeps_the_one_before(get: Get, settings: Settings) -> None:
    publish(settings, events=1111)
    before = get("/version")
    assert "could be read" not in get()
    publish(settings, events=2222)
    with client(settings.database):
        for _ in range(2):
            page = get()
            assert "1,111" in page
            assert f'data-version="{before}"' in page  # so that it asks again
            assert "This is the last snapshot that could be read. The snapshot cannot be" in page
    assert "2,222" in get()
    assert "could be read" not in get()


def test_a_snapshot_held_from_the_start_is_reported(get: Get, settings: Settings) -> None:
    publish(settings, events=1111)
    with client(settings.database):
        assert "The snapshot cannot be read: IO Error: Could not set lock" in get()
    assert "1,111" in get()


def test_the_page_names_the_version_that_it_shows(get: Get, settings: Settings) -> None:
    publish(settings)
    assert f'data-version="{get("/version")}"' in get()


@pytest.mark.parametrize(
    "wanted",
    [
        {"store": "nobody", "day": "yesterday", "days": "-1"},
        {"day": "0001-01-01", "days": "28"},
        {"day": "9999-12-31", "days": "1e9"},
    ],
)
def test_an_invalid_selection_becomes_the_default(
    get: Get, settings: Settings, wanted: dict[str, str]
) -> None:
    publish(settings)
    assert "1,234" in text_of(get(**wanted))


def test_another_number_of_days_can_be_selected(get: Get, settings: Settings) -> None:
    publish(settings)
    seen = text_of(get(days="7"))
    assert "Tue 18 Nov 2025 to Mon 24 Nov 2025" in seen
    assert "7 days before: 0" in seen


def test_every_field_of_the_form_has_a_label_and_every_chart_a_name(
    get: Get, settings: Settings
) -> None:
    publish(settings)
    page = get()
    assert len(re.findall(r"<label>\w[^<]*<(?:select|input)", page)) == 3
    for chart in re.findall(r"<svg[^>]*>", page):
        assert 'role="img" aria-label="' in chart or 'aria-hidden="true"' in chart


def test_a_foreign_host_name_reads_nothing(get: Get, settings: Settings) -> None:
    publish(settings)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        get(host="rebound.example")


def test_a_taken_port_is_one_line_and_exit_code_1(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(settings.model_copy(update={"dashboard_port": port})) == 1
    assert "set PIPELINE_DASHBOARD_PORT" in capsys.readouterr().err


def test_it_prints_its_address_and_stops_on_a_signal(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "dashboard"],
        env=os.environ | {"PIPELINE_HOME": str(settings.home), "PIPELINE_DASHBOARD_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("dashboard: ").strip()
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        process.terminate()
        assert process.wait(60) == 0


def test_each_query_documents_its_grain() -> None:
    ours = [text for name, text in files("queries") if name.startswith("dashboard_")]
    assert ours
    assert all("Grain:" in text.splitlines()[0] for text in ours)
