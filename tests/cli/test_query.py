"""`pipeline query`: its formats, what it refuses, and the SQL that it shows."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from factories import RULES, Log, visit
from processes import Pipeline
from warehouse_fixture import Warehouse

from pipeline.cli.formats import as_csv, as_json, as_markdown
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.parameters import refuse_malformed
from pipeline.warehouse.queries import QueryResult, refuse_unknown

LONG = "a name of some length, " * 20
ODD = QueryResult(
    ["name", "amount", "at", "none", "list", "span"],
    [
        (
            'a "b", c|d\n',
            Decimal("12345678901234567890.1230"),
            date(2026, 7, 1),
            None,
            [{"currency": "JPY", "revenue": Decimal(5)}],
            timedelta(seconds=1.5),
        ),
        (LONG, 2**70, date(2026, 7, 2), None, None, None),
    ],
)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Of one store's one visit."""
    warehouse, log = Warehouse(tmp_path / "made.duckdb", RULES), Log(RULES)
    visit(log)
    warehouse.load(log.outcomes)
    warehouse.connection.close()
    return "made.duckdb"


def test_csv_holds_every_value_as_it_is() -> None:
    names, first, second = csv.reader(StringIO(as_csv(ODD)))
    assert names == ODD.columns
    money = '[{"currency":"JPY","revenue":5}]'
    assert first == [*map(str, ODD.rows[0][:3]), "", money, "0:00:01.500000"]
    assert second == [LONG, str(2**70), "2026-07-02", "", "", ""]


def test_json_holds_exact_numbers() -> None:
    first, second = json.loads(as_json(ODD), parse_float=Decimal)
    assert list(first) == ODD.columns
    assert first["amount"] == Decimal("12345678901234567890.1230")
    assert (first["name"], first["at"], first["none"]) == ('a "b", c|d\n', "2026-07-01", None)
    assert first["list"] == [{"currency": "JPY", "revenue": 5}]
    assert second["amount"] == 2**70
    assert as_json(QueryResult(["a"], [])) == "[]\n"


def test_markdown_is_a_table_whatever_a_value_holds() -> None:
    lines = as_markdown(ODD).splitlines()
    assert lines[:2] == [f"| {' | '.join(ODD.columns)} |", "| --- | --- | --- | --- | --- | --- |"]
    assert lines[2].startswith('| a "b", c\\|d\ufffd | 12345678901234567890.1230 |')
    assert len(lines) == 4


def test_each_format_is_printed_and_nothing_of_a_table_is_cut(
    pipeline: Pipeline, database: str
) -> None:
    given = ("query", "kpis", "--all-time", "--database", database)
    table = pipeline(*given).stdout
    names = next(line for line in table.splitlines() if "store_id" in line)
    assert len(names) > 200
    assert all(column in names for column in ("blended_order_lines", "purchase_rate_change"))
    (row,) = json.loads(pipeline(*given, "--format", "json").stdout)
    assert (row["store_id"], row["name"], row["blended_clicks"]) == ("store", "token", 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"first": "soon"}, "first=soon is not a day: write it as YYYY-MM-DD, as in 2026-07-01"),
        ({"last": "20260701"}, "last=20260701 is not a day: "),
        ({"first": "2026-02-30"}, "first=2026-02-30 is not a day: "),
        ({"grain": "store"}, "grain=store is none of: all_tokens, token, block, collection, "),
        ({"first": "2026-07-02", "last": "2026-07-01"}, "is after last=2026-07-01"),
    ],
)
def test_a_malformed_value_is_refused_with_what_is_allowed(
    values: dict[str, str], said: str
) -> None:
    with pytest.raises(DatabaseError) as refused:
        refuse_malformed(values)
    assert said in str(refused.value)


def test_an_unknown_parameter_is_refused_with_those_that_it_takes() -> None:
    with pytest.raises(DatabaseError) as refused:
        refuse_unknown("kpis", ["day"])
    assert str(refused.value).endswith(
        "it takes: first=YYYY-MM-DD,"
        " grain=all_tokens|token|block|collection|query|product|position,"
        " last=YYYY-MM-DD, store=STORE"
    )


def test_all_time_takes_the_place_of_days(pipeline: Pipeline, database: str) -> None:
    done = pipeline("query", "kpis", "--all-time", "-p", "first=2026-07-01")
    assert done.returncode == 2
    assert "--all-time takes the place of -p first=YYYY-MM-DD" in done.stderr
    shown = pipeline("query", "kpis", "--all-time", "--explain", "--database", database).stdout
    assert "CAST('2025-11-24' AS DATE)" in shown


def test_the_shell_completes_questions_and_parameters() -> None:
    def completed(words: str, place: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline"],
            env={
                **os.environ,
                "_PIPELINE_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(place),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return [line.split(",")[1] for line in done.stdout.splitlines()]

    assert completed("pipeline query fun", 2) == ["funnel"]
    assert completed("pipeline query kpis -p grain=p", 4) == ["grain=product", "grain=position"]
