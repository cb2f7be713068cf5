"""Each DuckDB client that the README names reads a snapshot, attached under any name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archived import archive_days
from beacons import write_traffic
from duckdb_clients import NAMES, asked, client

from pipeline.domain.rules import Rules
from pipeline.replay.local import replay
from pipeline.warehouse.sql import files

FIRST, NEWEST = "1.2.0", "2.0.1"
# The first two of 1.4 lose the names of a WITH that stands inside another query of a view.
BETWEEN = ("1.3.2", "1.4.0", "1.4.1", "1.4.2", "1.5.6")


def an_order_and_its_refund(quantity: int) -> Iterator[dict[str, Any]]:
    """Of a click that is credited."""
    about = {"session_id": "s", "device_id": "d", "product_id": 1, "attribution_token": "token"}
    paid = {"order_id": "o", "price": "9.99", "currency": "USD", "quantity": quantity}
    for minute, (event_type, more) in enumerate(
        {
            "product_click": {"position": 1},
            "purchase": paid,
            "refund": {**paid, "refund_id": "r"},
        }.items()
    ):
        timestamp = f"2026-06-30T12:{minute:02}:00Z"
        yield {"event_type": event_type, "timestamp": timestamp, **about, **more}
    # Another device says otherwise of the order.
    other = {**about, "device_id": "e", **paid, "price": "1"}
    yield {"event_type": "purchase", "timestamp": "2026-06-30T12:09:00Z", **other}


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of two shops' traffic, all but its last day in the archive."""
    folder = tmp_path_factory.mktemp("clients")
    made = []
    for seed in (1, 2):
        file = write_traffic(folder / f"{seed}.ndjson", seed=seed, devices=15)
        with file.open("a") as more:
            more.writelines(f"{json.dumps(event)}\n" for event in an_order_and_its_refund(seed))
        made.append(folder / f"{seed}.duckdb")
        replay([str(file)], database=made[-1], rules=Rules())
        archived = archive_days(made[-1], Rules())
        assert len({file.is_of_one_day for file in archived}) == 2
    return made[0], made[1]


@pytest.fixture(scope="module")
def newest(snapshots: tuple[Path, Path], cache: Path) -> dict[str, Any]:
    return asked(client(NEWEST, cache), *snapshots)


def test_the_newest_client_answers_each_view_from_its_own_snapshot(newest: dict[str, Any]) -> None:
    assert newest["version"] == NEWEST
    for view, _ in files("views"):
        one, two = (newest[f"{name}.{view}"] for name in NAMES)
        assert isinstance(one, list), one
        assert one[0] == two[0]
        assert one[1], view
        assert one[1] != two[1] or view == "currencies", view
    macros = [what for what in newest if "(" in what]
    assert macros
    assert all(isinstance(newest[what], list) for what in macros), newest


@pytest.mark.parametrize("version", [FIRST, *BETWEEN])
def test_an_older_client_answers_the_same(
    version: str, snapshots: tuple[Path, Path], newest: dict[str, Any], cache: Path
) -> None:
    answers = asked(client(version, cache), *snapshots)
    assert answers == {**newest, "version": version}


def test_the_readme_names_these_versions() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (sentence,) = re.findall(r"Any DuckDB client \((.*?)\)", readme, re.DOTALL)
    assert re.findall(r"\d+\.\d+\.\d+", sentence) == [FIRST]
