"""`pipeline query --attach`: several snapshots at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import RULES, Log, visit
from processes import Pipeline
from warehouse_fixture import Warehouse


@pytest.fixture
def attach(tmp_path: Path) -> list[str]:
    """The options for the snapshots of two stores."""
    options = []
    for name in ("eu", "us"):
        warehouse, log = Warehouse(tmp_path / f"{name}.duckdb", RULES), Log(RULES)
        visit(log)
        for outcome in log.outcomes:
            outcome.store_id = f"shop-{name}"
        warehouse.load(log.outcomes)
        warehouse.connection.close()
        options += ["--attach", f"{name}={name}.duckdb"]
    return options


def test_it_answers_for_the_stores_of_all(pipeline: Pipeline, attach: list[str]) -> None:
    answer = pipeline("query", "funnel", *attach)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [line.split()[1] for line in answer.stdout.splitlines() if "shop-" in line] == [
        "shop-eu",
        "shop-us",
    ]
    one = pipeline("query", "tokens", *attach, "-p", "store=shop-us")
    assert "shop-us" in one.stdout
    assert "shop-eu" not in one.stdout
    unknown = pipeline("query", "tokens", *attach, "-p", "store=shop-xx")
    assert "stores with events: shop-eu, shop-us" in unknown.stderr


def test_what_cannot_be_is_refused(pipeline: Pipeline, attach: list[str]) -> None:
    for arguments, code, reason in (
        ((*attach, "--database", "eu.duckdb"), 2, "--attach is several"),
        (("--attach", "eu"), 2, "is not NAME=VALUE"),
        (("-p", "store=a", "-p", "store=b"), 2, "store has 2 values"),
        (("--attach", "eu=nowhere"), 1, "there is no snapshot at nowhere"),
        ((*attach, "--attach", "again=eu.duckdb"), 1, "store 'shop-eu' is in again and in eu"),
    ):
        done = pipeline("query", "funnel", *arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert reason in done.stderr
