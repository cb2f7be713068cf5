"""What a transaction reads does not depend on how much history there is (architecture)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beacons import END, write_traffic
from factories import MINUTE, MORNING, Log, cart, click, make_event, purchase
from history import fill, outcomes_of

from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.warehouse import database
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.load.batch import LoadBatch
from pipeline.warehouse.load.transaction import Transactions

# Of rows; that of DuckDB is 60 times larger, and so would be the history that shows a growth.
ROW_GROUP = 2048
# A device has few keys until its state is full.
RULES = Rules(lateness=timedelta(hours=12), most_keys=50)
LATE_DEVICES = 20
STORED = re.compile(r"\blive\b")
# Rows of a copy that go by the hash of what they were copied from.
WRONG = """
    SELECT count(*)
    FROM (
        SELECT device_key_hash <> device_key_hash_of(store_id, device_key) AS is_wrong FROM sessions
        UNION ALL
        SELECT device_key_hash <> device_key_hash_of(store_id, device_key) FROM order_lines
        UNION ALL
        SELECT order_hash <> order_hash_of(store_id, order_id) FROM order_lines
    )
    WHERE is_wrong
"""
# The one statement that looks through a table for all orders (`_order_lines` of steps.py).
INDEX = "SELECT min(since), max(until) FROM ( SELECT occurred_at, occurred_at FROM order_lines"


class Profiled:
    """A connection that keeps how many rows each statement reads of each stored table."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._profile = folder / "profile.json"
        self.read: dict[str, int] = {}
        # What is staged is a variable of the caller's caller.
        connection.execute("SET python_scan_all_frames = true")
        connection.execute("SET enable_profiling = 'json'")
        connection.execute("SET profiling_mode = 'detailed'")
        connection.execute(f"SET profiling_output = '{self._profile}'")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, what: str | duckdb.Statement, *values: Any) -> duckdb.DuckDBPyConnection:
        parsed = self._connection.extract_statements(what) if isinstance(what, str) else [what]
        for statement in parsed:
            self._profile.unlink(missing_ok=True)
            answer = self._connection.execute(statement, *values)
            if self._profile.exists():
                self._keep(statement.query, json.loads(self._profile.read_text()))
        return answer

    def _keep(self, query: str, profile: dict[str, Any]) -> None:
        name = " ".join(query.split())[:100]
        for table, rows in _scanned(profile["operator"]):
            of = f"{name} | {table}"
            self.read[of] = self.read.get(of, 0) + rows


def _scanned(operators: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    for operator in operators:
        about = operator["extra_info"]
        if operator["type"] == "TABLE_SCAN" and STORED.search(about.get("Table", "")):
            yield about["Table"].rsplit(".", 1)[-1], operator["rows_scanned"]
        yield from _scanned(operator.get("children", []))


def a_week(folder: Path) -> tuple[Path, list[list[Outcome]]]:
    """A warehouse of a week's traffic but its end, and the transactions of that end.

    In the end late events come to devices that visited in the week, and to one whose session has
    gone on since it began, and whose state is full.
    """
    outcomes = list(outcomes_of(write_traffic(folder / "traffic.ndjson", devices=400), RULES))
    path, first = folder / "base.duckdb", len(outcomes) - 500
    before, after = late_devices()
    with connect_live(path, RULES) as connection:
        transactions = Transactions(connection)
        transactions.commit(batch_of([*outcomes[:first], *before]))
    rest = outcomes[first:]
    parts = [rest[start : start + 100] for start in range(0, len(rest), 100)]
    return path, [[*part, *after[number :: len(parts)]] for number, part in enumerate(parts)]


def late_devices() -> tuple[list[Outcome], list[Outcome]]:
    """What devices send in a week, and then: late clicks, carts and orders, and later visits.

    With the later visit an order comes that a server has reported in the week.
    """
    log, end = Log(RULES, partition=9), (round(END.timestamp() * 1000) - MORNING) // MINUTE
    days = [end - 24 * 60 * (1 + number % 6) - 7 * number for number in range(LATE_DEVICES)]

    def visit(number: int, minute: float) -> None:
        log.send(
            click(minute, f"t{number}"),
            cart(minute + 1),
            purchase(minute + 2, order_id=f"{number}-{minute}"),
            device=f"d:late-{number}",
        )

    def report(number: int, minute: float, **sent: Any) -> None:
        log.send(purchase(minute, order_id=f"reported-{number}"), **sent)

    turns = [(day, number) for number, day in enumerate(days)]
    # Every twenty minutes, for six days.
    turns += [(end - 20 * turn, -1) for turn in range(1, 6 * 24 * 3)]
    for minute, number in sorted(turns):
        if number < 0:
            log.send(make_event(minute=minute), device="d:never silent")
        else:
            visit(number, minute)
            report(number, minute, device=f"d:reported-{number}", sender="server")
    before = len(log.outcomes)
    for number, day in enumerate(days):
        visit(number, day + 5)
        log.send(make_event(minute=end + number), click(end + number), device="d:never silent")
        visit(number, end + number)
        # It counts instead of the server's.
        report(number, end + number, device=f"d:late-{number}")
    return log.outcomes[:before], log.outcomes[before:]


def batch_of(outcomes: list[Outcome]) -> LoadBatch:
    batch = LoadBatch(RULES)
    for outcome in outcomes:
        batch.add(outcome)
    return batch


def what_is_read(
    folder: Path,
    base: Path,
    transactions: list[list[Outcome]],
    weeks: int,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, int]:
    """Rows that all statements of `transactions` read, by statement and table."""
    path, plain = folder / f"{weeks}.duckdb", duckdb.connect

    def connect(path: Path, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        version = config.pop("storage_compatibility_version")
        connection = plain(config=config)
        connection.execute(
            f"ATTACH '{path}' AS live (ROW_GROUP_SIZE {ROW_GROUP}, STORAGE_VERSION '{version}')"
        )
        connection.execute("USE live")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(database.duckdb, "connect", connect)
        live = connect_live(path, RULES)
    fill(live, base, weeks)
    assert live.execute(WRONG).fetchall() == [(0,)]
    profiled = Profiled(live, folder)
    loader = Transactions(profiled)  # type: ignore[arg-type]  # the same methods
    for outcomes in transactions:
        loader.commit(batch_of(outcomes))
    live.close()
    return profiled.read


def test_no_statement_reads_more_when_there_is_more_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, transactions = a_week(tmp_path)
    less, more = (
        what_is_read(tmp_path, base, transactions, weeks, monkeypatch) for weeks in (5, 40)
    )
    for name in sorted(more, key=more.__getitem__):
        print(less.get(name), more[name], name)
    # A table's last row group is not full.
    slack = ROW_GROUP * len(transactions)
    grown = {
        name: (less.get(name, 0), rows)
        for name, rows in more.items()
        if rows > less.get(name, 0) + slack and not name.startswith(INDEX)
    }
    assert grown == {}
