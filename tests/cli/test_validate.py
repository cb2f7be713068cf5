from __future__ import annotations

import gzip
import json
from pathlib import Path

from ingest.wire_cases import minimal
from processes import Pipeline

GOOD = json.dumps(minimal("search", query="linen"))


def test_a_line_for_each_problem_and_1(pipeline: Pipeline, tmp_path: Path) -> None:
    wrong = minimal("product_click", position=0, session_id="null")
    request = {"events": [minimal("search"), minimal("search", query=[])]}
    lines = [GOOD, "", json.dumps(wrong), "[", json.dumps(request), '{"events": []}']
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(b"{}"))
    done = pipeline("validate", "a.ndjson", "b.ndjson.gz")
    found = [line.split(": ", 2)[:2] for line in done.stdout.splitlines()]
    assert found == [
        ["a.ndjson:3", "session_id"],
        ["a.ndjson:3", "position"],
        ["a.ndjson:4", "Expected `object`, got `array`"],
        ["a.ndjson:5", "events.1.query"],
        ["a.ndjson:6", "events"],
        ["b.ndjson.gz:1", "event_type"],
        ["b.ndjson.gz:1", "timestamp"],
        ["b.ndjson.gz:1", "session_id or device_id"],
    ]
    assert (done.returncode, done.stderr) == (1, "")


def test_what_is_repaired_and_ignored_is_counted_by_field_and_no_problem(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    line = {"product_id": 1, "sku": "S", "variant_id": "x"}
    event = minimal("purchase", items=[line, line], order_id=7, theme="dark")
    (tmp_path / "a.ndjson").write_text(f"{json.dumps(event)}\n" * 2)
    done = pipeline("validate", "a.ndjson")
    assert done.stdout.splitlines() == [
        "a.ndjson: ignored: items.sku (2 events)",
        "a.ndjson: ignored: items.variant_id: unreadable (2 events)",
        "a.ndjson: ignored: theme (2 events)",
        "a.ndjson: repaired: order_id: respelled (2 events)",
    ]
    assert done.returncode == 0


def test_a_valid_file_is_silent_and_0_whatever_its_age(pipeline: Pipeline) -> None:
    old = json.dumps(minimal("search", timestamp="2001-01-01"))
    done = pipeline("validate", "-", stdin=f"{GOOD}\n{old}\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_control_characters_are_shown_as_text(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "a\u202e.ndjson").write_text('{"events": 1}')
    done = pipeline("validate", "a\u202e.ndjson")
    assert done.returncode == 1
    assert "\u202e" not in done.stdout


def test_a_file_that_is_not_there_is_one_line(pipeline: Pipeline) -> None:
    done = pipeline("validate", "none.ndjson")
    assert done.returncode == 1
    assert done.stderr == "Error: none.ndjson: No such file or directory\n"
