"""Strings that strangers sent are shown as text, whatever a terminal or rich would make of them."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest
from processes import Pipeline

from pipeline.devstack.process import ManagedProcess
from pipeline.printable import PrintableFormatter, printable

HOSTILE = "[/tok]:x:[link=http:a.example]b[/link]\x1b]0;c\x07\x9b2J\u202ed\u2066\u2029e"
SHOWN = "[/tok]:x:[link=http:a.example]b[/link]\ufffd]0;c\ufffd\ufffd2J\ufffdd\ufffd\ufffde"
EVENT = {
    "event_type": "search",
    "session_id": "s",
    "timestamp": "2026-07-01T12:00:00Z",
    "query": "linen",
    "attribution_token": HOSTILE,
}


def shown(text: str) -> str:
    """`text` of a table without its frame, which may break a cell into lines."""
    assert not set(text) & set("\x1b\x07\x9b\u202e\u2066\u2029")
    return "".join(text.split()).replace("│", "")


@pytest.fixture
def database(pipeline: Pipeline, tmp_path: Path) -> str:
    (tmp_path / "one.ndjson").write_text(json.dumps(EVENT) + "\n")
    path = str(tmp_path / "made.duckdb")
    assert pipeline("local", "one.ndjson", "--database", path, "--store", "x").returncode == 0
    return path


def test_query_shows_values_as_plain_text(pipeline: Pipeline, database: str) -> None:
    given = ("-p", "first=2026-07-01", "-p", "last=2026-07-01", "--database", database)
    done = pipeline("query", "kpis", "-p", "store=x", *given)
    assert done.returncode == 0, done.stderr
    assert SHOWN in shown(done.stdout)


def test_check_shows_offending_rows_as_plain_text(pipeline: Pipeline, database: str) -> None:
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE daily_traffic SET store_id = $1", [HOSTILE])
    done = pipeline("check", "--database", database)
    assert done.returncode == 1, done.stderr
    assert "[/tok]" in shown(done.stdout)


def test_stores_list_shows_names_as_plain_text(pipeline: Pipeline, tmp_path: Path) -> None:
    stores = tmp_path / "stores.toml"
    stores.write_text(f"[stores.{json.dumps(HOSTILE)}]\ntokens_sha256 = []\n")
    done = pipeline("stores", "list", stores_file=str(stores))
    assert done.returncode == 0, done.stderr
    assert SHOWN in shown(done.stdout)


def test_an_error_line_shows_a_name_as_text(pipeline: Pipeline) -> None:
    for verb, *more in (("local", "--database", "x"), ("send", "--token", "x")):
        done = pipeline(verb, f"{HOSTILE[6:]}.ndjson", *more)
        assert done.returncode == 1
        assert SHOWN[6:] in shown(done.stderr)
    done = pipeline("stores", "rotate", HOSTILE)
    # Line ends of all kinds become spaces earlier.
    assert SHOWN.replace("\ufffd\ufffde", "\ufffde") in shown(done.stderr)


def test_local_reports_a_bad_line_as_plain_text(pipeline: Pipeline, tmp_path: Path) -> None:
    name = "\x1b[1m\u202e.ndjson"
    (tmp_path / name).write_text("{\n")
    done = pipeline("local", name, "--database", "x")
    assert "\ufffd[1m\ufffd.ndjson:1:" in shown(done.stderr)


@pytest.fixture
def hostile_door() -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            said = HOSTILE.encode()
            self.send_response(422)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/beacon"
        server.shutdown()
        thread.join()


def test_send_shows_a_response_as_plain_text(
    pipeline: Pipeline, tmp_path: Path, hostile_door: str
) -> None:
    (tmp_path / "one.ndjson").write_text(json.dumps(EVENT) + "\n")
    done = pipeline("send", "one.ndjson", "--url", hostile_door, "--token", "x")
    assert SHOWN in shown(done.stderr)


def test_a_log_line_and_the_lines_of_a_child_are_text() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "came: %s\nmore", (HOSTILE,), None)
    assert PrintableFormatter("%(message)s").format(record) == f"came: {SHOWN}\nmore"
    heard: list[str] = []
    code = f"import sys; sys.stdout.buffer.write({HOSTILE.encode()!r})"
    child = ManagedProcess("it", [sys.executable, "-c", code], {})
    child.start(lambda _name, line: heard.append(line))
    assert child.process is not None
    child.process.wait(60)
    assert child.is_dead()
    assert "".join(heard).endswith(SHOWN)


def test_ordinary_text_is_unchanged() -> None:
    text = "Ünï 日本 \U0001f468\u200d\U0001f467\t\u05e9\u05dc [b] :x:"
    assert printable(text) == text
    assert printable("a\r\nb\ud800\x85") == "a\ufffd\ufffdb\ufffd\ufffd"
