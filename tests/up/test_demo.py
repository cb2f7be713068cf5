"""`pipeline demo` as a first-time user runs it, and over existing data."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import wait_for

from pipeline.config import Settings
from pipeline.devstack.demo import EDGE_HEADERS, demo_stores, with_edge
from pipeline.devstack.first_store import make_first_store
from pipeline.devstack.supervisor import StartError
from pipeline.domain.rules import Rules
from pipeline.ingest.stores import Stores
from pipeline.traffic import STORES
from pipeline.warehouse.database import connect_live

Start = Callable[..., Any]
SHOPPERS = ("--exit", "--devices", "20")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def at_home(home: Path) -> Settings:
    return Settings(_env_file=None, home=home)


def test_a_loader_that_fails_at_each_start_ends_it_with_the_reason(
    start: Start, home: Path, elsewhere: dict[str, str]
) -> None:
    connect_live(home / "live.duckdb", Rules(gap=timedelta(minutes=5))).close()
    run = start("demo", *SHOPPERS, **elsewhere)
    assert run.process.wait(100) == 1
    last = run.errors.strip().splitlines()[-1]
    assert "load dies at each start: " in last
    assert "was made with other rules" in last


def test_a_signal_while_it_sends_ends_everything_with_0(start: Start) -> None:
    run = start("demo", "--devices", "3000")
    wait_for(lambda: "ingest: http" in run.errors)
    assert not run.end_all()
    assert "in the snapshot" not in run.output


def test_the_next_start_reuses_the_tokens(at_home: Settings) -> None:
    tokens = demo_stores(at_home)
    assert demo_stores(at_home) == tokens
    assert set(tokens) == set(STORES)
    assert (at_home.home / "demo-tokens.json").stat().st_mode & 0o077 == 0


def test_a_store_that_the_user_added_is_kept(at_home: Settings) -> None:
    tokens = demo_stores(at_home)
    mine = '\n[stores.mine]\ntokens_sha256 = ["' + "0" * 64 + '"]\n'
    with at_home.stores.open("a") as file:
        file.write(mine)
    assert demo_stores(at_home) == tokens
    assert at_home.stores.read_text().endswith(mine)


@pytest.mark.parametrize("tokens", [None, "{}", "not JSON", '["a"]', '{"aurora": 3}'])
def test_a_stores_file_of_the_user_is_refused_in_one_line_and_kept(
    at_home: Settings, tokens: str | None
) -> None:
    make_first_store(at_home.stores)
    before = at_home.stores.read_text()
    if tokens is not None:
        (at_home.home / "demo-tokens.json").write_text(tokens)
    with pytest.raises(
        StartError, match="was not created by the demo: set PIPELINE_HOME"
    ) as raised:
        demo_stores(at_home)
    assert "\n" not in str(raised.value)
    assert at_home.stores.read_text() == before


def test_tokens_without_their_stores_file_are_replaced(at_home: Settings) -> None:
    at_home.home.mkdir()
    (at_home.home / "demo-tokens.json").write_text(json.dumps(dict.fromkeys(STORES, "old")))
    tokens = demo_stores(at_home)
    stores = Stores.load(at_home.stores)
    assert all(stores.by_token(token, at=0) for token in tokens.values())


def test_the_headers_of_the_sample_are_set_unless_the_user_sets_others(
    at_home: Settings,
) -> None:
    assert {name: getattr(with_edge(at_home), name) for name in EDGE_HEADERS} == EDGE_HEADERS
    mine = at_home.model_copy(update={"city_header": "x-city"})
    assert with_edge(mine) == mine
