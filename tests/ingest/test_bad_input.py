"""tests/ingest/bad_input.toml, over HTTP and Kafka and from files alone, into DuckDB."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from factories import Log
from ingest.wire_cases import NOW_MS, minimal
from tables import broken_checks
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.domain.rules import Rules
from pipeline.replay.local import replay
from pipeline.topics import Rejected, Topic, topics

RULES = Rules()
FILE = Path(__file__).parent / "bad_input.toml"
CASES: list[dict[str, Any]] = tomllib.loads(FILE.read_text())["case"]


def event_of(case: dict[str, Any]) -> str:
    """The event's JSON as text; its event id, and where the case has none its session, its name."""
    fields = re.sub(r"@(\d+)@", lambda many: "x" * int(many[1]), case["fields"])
    given = re.findall(r'"(\w+)"\s*:', fields)
    base = minimal(case.get("type", "search"), event_id=case["name"], session_id=case["name"])
    rest = {name: value for name, value in base.items() if name not in given}
    if case.get("type") == "purchase":
        del rest["items"]
    return f"{json.dumps(rest)[:-1]}, {fields}}}"


def body_of(case: dict[str, Any], more: str = "") -> bytes:
    return f'{{"events": [{event_of(case)}]{more}}}'.encode()


def stored(connection: duckdb.DuckDBPyConnection, case: dict[str, Any]) -> dict[str, str | None]:
    columns = list(case["stored"])
    texts = ", ".join(f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns)
    rows = connection.execute(
        f"SELECT {texts} FROM events WHERE event_id = ?", [case["name"]]
    ).fetchall()
    assert len(rows) == 1, case["name"]
    return dict(zip(columns, rows[0], strict=True))


def check(connection: duckdb.DuckDBPyConnection, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        if "stored" in case:
            assert stored(connection, case) == case["stored"], case["name"]
    refused = connection.execute("SELECT raw, reason FROM rejected_events").fetchall()
    wanted = {event_of(case): case["refused"] for case in cases if "refused" in case}
    assert dict(refused) == wanted
    currencies = connection.execute(
        "SELECT currency, CAST(sum(revenue) AS VARCHAR) FROM session_revenue JOIN sessions"
        " USING (store_id, session_key) WHERE session_id = 'two currencies' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert currencies == [("JPY", "500.0000"), ("USD", "5.0000")]


def test_every_case_has_its_answer_and_its_row_or_reason(
    ingest: Any,
    settings: Settings,
    read_topic: Callable[[Topic], list[Any]],
    tmp_path: Path,
) -> None:
    for case in CASES:
        token = ingest.backfill_token if case.get("backfill", True) else ingest.token
        answer = ingest.post(body_of(case), token=token)
        assert answer.status == case.get("answer", 204), case["name"]
    logs: dict[int, Log] = {}
    for record in read_topic(topics(settings).beacons):
        log = logs.setdefault(record.partition, Log(RULES, record.partition))
        outcome = log.append(record.key, record.value, appended_at=NOW_MS)
        assert outcome.failed == []
    warehouse = Warehouse(tmp_path / "live.duckdb", RULES)
    try:
        warehouse.load(outcome for log in logs.values() for outcome in log.outcomes)
        refused = [json.loads(record.value) for record in read_topic(topics(settings).rejected)]
        warehouse.load_rejected(Rejected(**rejected) for rejected in refused)
        check(warehouse.connection, CASES)
        assert warehouse.broken() == {}
    finally:
        warehouse.connection.close()


# A file is always read with the right to backfill.
OF_FILES = [case for case in CASES if case.get("backfill", True) or "stored" in case]


@pytest.mark.parametrize("is_request", [False, True], ids=["events", "requests"])
def test_the_same_from_a_file(tmp_path: Path, *, is_request: bool) -> None:
    received_at = f', "received_at": {NOW_MS}'
    file = tmp_path / "bad.ndjson"
    lines = [body_of(c, received_at) if is_request else event_of(c).encode() for c in OF_FILES]
    file.write_bytes(b"\n".join(lines))
    database = tmp_path / "bad.duckdb"
    replayed = replay([str(file)], database=database, rules=RULES, clock=lambda: NOW_MS / 1000)
    bad = [number for number, case in enumerate(OF_FILES, start=1) if "answer" in case]
    assert [line.line for _, line in replayed.bad_lines] == bad
    with duckdb.connect(database, read_only=True) as connection:
        check(connection, OF_FILES)
    assert broken_checks(database) == []
