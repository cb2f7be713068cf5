"""Files to a database without a broker: all of them or no file at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from beacons import write_traffic
from ingest.wire_cases import minimal
from tables import broken_checks, differing, exported
from warehouse_fixture import RULES

from pipeline.replay.local import replay
from pipeline.warehouse.database import DatabaseError, connect_published


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    return write_traffic(tmp_path / "traffic.ndjson", devices=25)


def tables(paths: list[Path], database: Path) -> dict[str, bytes]:
    replay([str(path) for path in paths], database=database, rules=RULES)
    assert broken_checks(database) == []
    return exported(database, database.with_suffix(".csv"))


def test_a_gzipped_file_is_the_same_file(traffic: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "traffic.ndjson.gz"
    zipped.write_bytes(gzip.compress(traffic.read_bytes(), mtime=0))
    plain = tables([traffic], tmp_path / "plain.duckdb")
    assert differing(plain, tables([zipped], tmp_path / "zipped.duckdb")) == []


def test_several_files_equal_one_file_also_across_transactions(
    traffic: Path, tmp_path: Path
) -> None:
    lines = traffic.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / "a.ndjson", tmp_path / "b.ndjson", tmp_path / "empty.ndjson"]
    parts[0].write_bytes(b"".join(lines[:300]))
    parts[1].write_bytes(b"".join(lines[300:]))
    parts[2].touch()
    whole = tables([traffic], tmp_path / "whole.duckdb")
    assert differing(whole, tables(parts, tmp_path / "parts.duckdb")) == []
    small = tmp_path / "small.duckdb"
    replay([str(traffic)], database=small, rules=RULES, batch_records=97)
    assert differing(whole, exported(small, tmp_path / "small")) == []


def test_the_same_file_twice_is_the_file_once(traffic: Path, tmp_path: Path) -> None:
    once = tables([traffic], tmp_path / "once.duckdb")
    twice = tables([traffic, traffic], tmp_path / "twice.duckdb")
    # A refused event is refused each time that it is sent.
    refused = "rejected_events"
    assert twice.pop(refused).count(b"\n") - 1 == 2 * (once.pop(refused).count(b"\n") - 1)
    assert differing(once, twice) == []


def test_an_empty_file_gives_empty_tables(tmp_path: Path) -> None:
    empty = tmp_path / "empty.ndjson"
    empty.write_text("\n\n")
    assert all(text.count(b"\n") == 1 for text in tables([empty], tmp_path / "e.duckdb").values())


def test_bad_lines_are_reported_and_skipped(tmp_path: Path) -> None:
    event = b'{"event_type":"search","query":"","session_id":"s","timestamp":1764000000000}'
    file = tmp_path / "some.ndjson"
    file.write_bytes(b"\n".join([event, b"{", event[:-2] + b"1}", b"\xff", b"3", b'{"events":3}']))
    replayed = replay([str(file)], database=tmp_path / "some.duckdb", rules=RULES)
    assert [line.line for _, line in replayed.bad_lines] == [2, 4, 5, 6]
    assert all(path == str(file) and line.reason for path, line in replayed.bad_lines)
    with connect_published(tmp_path / "some.duckdb") as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(2,)]


def test_a_file_that_is_cut_leaves_no_database(traffic: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(traffic.read_bytes(), mtime=0)[:-1000])
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(EOFError):
        replay([str(cut)], database=folder / "x.duckdb", rules=RULES, batch_records=10)
    assert list(folder.iterdir()) == []


def test_an_existing_database_is_not_touched(traffic: Path, tmp_path: Path) -> None:
    database = tmp_path / "mine.duckdb"
    database.write_text("mine")
    with pytest.raises(DatabaseError, match="exists already: choose another name"):
        replay([str(traffic)], database=database, rules=RULES)
    assert database.read_text() == "mine"


def test_days_are_those_of_the_zone_that_a_line_or_the_command_names(tmp_path: Path) -> None:
    event = minimal("search", timestamp="2026-07-01T18:20:00Z")
    lines = [event, {"events": [event], "store": "b", "timezone": "America/New_York"}]
    lines.append({"events": [event], "store": "c", "timezone": "Mars", "is_trusted": True})
    file, database = tmp_path / "days.ndjson", tmp_path / "days.duckdb"
    file.write_text("\n".join(map(json.dumps, lines)))
    report = replay([str(file)], database=database, rules=RULES, timezone="Asia/Kathmandu")
    assert [(bad.line, "time zone" in bad.reason) for _, bad in report.bad_lines] == [(3, True)]
    with connect_published(database) as connection:
        days = connection.execute(
            "SELECT store_id, CAST(day AS VARCHAR), hour FROM events ORDER BY 1"
        ).fetchall()
    assert days == [("b", "2026-07-01", 14), ("local", "2026-07-02", 0)]
