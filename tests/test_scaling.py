"""The examples of docs/scaling.md give the totals of DuckDB."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from archived import freeze
from homes import RULES, first_hot_day, make_home, publish

from pipeline.warehouse.database import connect_live, connect_published
from pipeline.warehouse.manifest import archive_files
from pipeline.warehouse.snapshots.publish import SnapshotPublisher

TEXT = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# Run by hand: it needs a Spark.
SPARK = [block for block in BLOCKS if "spark" in block]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("scaling") / "data"
    home.mkdir()
    make_home(home)
    publish(home)
    return home


@pytest.fixture
def names(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the blocks define, one after the other, beside the home."""
    monkeypatch.chdir(home.parent)
    found: dict[str, Any] = {}
    for block in BLOCKS:
        if block not in SPARK:
            exec(block, found)  # noqa: S102  # our own
    return found


def test_polars_and_pyarrow_count_what_duckdb_counts(home: Path, names: dict[str, Any]) -> None:
    with connect_published(home / "analytics.duckdb") as connection:
        paths = [str(home / "archive" / file.name) for file in archive_files(connection)]
        # Not by the folder: there may be more.
        (home / "archive" / "unnamed.parquet").write_text("not Parquet")
        expected = connection.execute(
            "SELECT store_id, event_type, count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL",
            [paths],
        ).fetchall()
    assert len(expected) > 10
    assert sorted(names["by_type"].rows()) == expected
    assert sorted(tuple(row.values()) for row in names["counts"].to_pylist()) == expected


def test_the_list_has_the_rows_of_the_table(home: Path) -> None:
    live = home / "live.duckdb"
    with connect_live(live, RULES) as connection:
        publisher = SnapshotPublisher(connection, live, home / "analytics.duckdb")
        publisher.publish()
        before = (home / "archive.json").read_bytes()
        freeze(connection, home / "archive", first_hot_day(connection))
        publisher.publish()
    assert (home / "archive.json").read_bytes() != before
    listed = json.loads((home / "archive.json").read_text())["files"]
    with connect_published(home / "analytics.duckdb") as connection:
        held = archive_files(connection)
    assert len(held) > 2
    assert [(file["name"], file["events"], file["sha256"]) for file in listed] == [
        (file.name, file.events, file.sha256) for file in held
    ]
    assert [file["first_day"] for file in listed] == [str(file.first_day) for file in held]
    mode = (home / "analytics.duckdb").stat().st_mode
    assert (home / "archive.json").stat().st_mode == mode


def test_every_block_is_run_or_named() -> None:
    assert len(BLOCKS) == 4
    assert len(SPARK) == 1
