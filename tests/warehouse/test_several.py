"""Several snapshots answer as one that has all their stores, and a store is in one of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import pytest
from archived import archive_days, contents
from beacons import write_traffic
from tables import OF_THE_LOG_COLUMNS

from pipeline.domain.rules import Rules
from pipeline.replay.local import replay
from pipeline.warehouse.database import DatabaseError, NoSnapshotError, connect_published
from pipeline.warehouse.parameters import required
from pipeline.warehouse.queries import ask, questions
from pipeline.warehouse.several import connect_several
from pipeline.warehouse.sql import files

# What questions may need: a store, days and two tokens of the traffic.
GIVEN = {
    "store": "kiosk",
    "first": "2026-06-25",
    "last": "2026-06-30",
    "token": "MufpbPD2wnPZJPSs8Tb-XbrMYotYoqHp",
    "other": "m3f7zLrOL1xOXB0H9qH3bbu0kUUNERPl",
}
# They name places, which are those of each pipeline, or how far each has come.
BY_PLACE = {"freshness", "quality"}


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of all stores; of half of them, in the archive but for the last day; of the others."""
    folder = tmp_path_factory.mktemp("several")
    lines = write_traffic(folder / "all.ndjson", devices=25).read_text().splitlines(keepends=True)
    stores = sorted({json.loads(line)["store"] for line in lines})
    assert len(stores) == 4

    def made(name: str, kept: Iterable[str]) -> Path:
        home = folder / name
        home.mkdir()
        traffic = home / "traffic.ndjson"
        traffic.write_text("".join(line for line in lines if json.loads(line)["store"] in kept))
        replay([str(traffic)], database=home / "analytics.duckdb", rules=Rules())
        return home / "analytics.duckdb"

    paths = {"all": made("all", stores), "eu": made("eu", stores[:2]), "us": made("us", stores[2:])}
    archive_days(paths["eu"], Rules())
    return paths


@pytest.fixture
def parts(snapshots: dict[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in snapshots.items() if name != "all"}


@pytest.mark.parametrize("question", sorted(questions()))
def test_each_question_has_the_answer_of_one_with_all_stores(
    question: str, snapshots: dict[str, Path], parts: dict[str, Path]
) -> None:
    wanted = {name: GIVEN[name] for name in required(question)}
    with connect_published(snapshots["all"]) as one, connect_several(parts) as several:
        answer = ask(one, question, wanted)
        found = ask(several, question, wanted)
    assert found.columns == answer.columns
    if question not in BY_PLACE:
        assert sorted(map(repr, found.rows)) == sorted(map(repr, answer.rows))
    assert found.rows


# What each part says of itself.
OF_THE_PARTS = {"snapshot"}


@pytest.mark.parametrize(
    "relation", ["events", *(name for name, _ in files("views") if name not in OF_THE_PARTS)]
)
def test_each_view_has_the_rows_of_all(
    relation: str, snapshots: dict[str, Path], parts: dict[str, Path]
) -> None:
    with connect_published(snapshots["all"]) as one, connect_several(parts) as several:
        columns = [column for (column, *_) in one.execute(f"DESCRIBE {relation}").fetchall()]
        kept = ", ".join(f'"{column}"' for column in columns if column not in OF_THE_LOG_COLUMNS)
        text = f"(SELECT {kept} FROM {relation})"
        assert contents(several, text) == contents(one, text)
        ((archived,),) = several.execute("SELECT count(*) FROM eu.archive_files").fetchall()
        assert archived > 2


def test_it_reaches_as_far_as_the_part_that_is_furthest_behind(parts: dict[str, Path]) -> None:
    reach = "SELECT published_at, complete_until, settled_until FROM snapshot"
    alone = []
    for path in parts.values():
        with connect_published(path) as one:
            alone += one.execute(reach).fetchall()
    with connect_several(parts) as several:
        assert several.execute(reach).fetchall() == [tuple(map(min, zip(*alone, strict=True)))]


def test_it_reads_nothing_else(parts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with connect_several(parts) as several, pytest.raises(duckdb.PermissionException):
        several.execute(f"FROM '{tmp_path / 'secret.csv'}'")


def changed(path: Path, folder: Path, statement: str) -> Path:
    """A copy after `statement`."""
    copy = Path(shutil.copy(path, folder / "changed.duckdb"))
    with duckdb.connect(copy) as connection:
        connection.execute(statement)
    return copy


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda parts, _: {**parts, "again": parts["eu"]},
            r"store 'atelier' is in again and in eu",
        ),
        (lambda parts, _: {**parts, "a b": parts["eu"]}, r"'a b' is no name for a snapshot"),
        (lambda parts, _: {**parts, "memory": parts["eu"]}, r"cannot be attached as memory"),
        (
            lambda parts, folder: {
                "eu": parts["eu"],
                "us": changed(parts["us"], folder, "UPDATE rules SET half_life = INTERVAL 1 DAY"),
            },
            "count by different rules",
        ),
    ],
    ids=["a store twice", "a name", "a taken name", "other rules"],
)
def test_what_would_be_wrong_is_refused(
    parts: dict[str, Path],
    tmp_path: Path,
    make: Callable[[dict[str, Path], Path], dict[str, Path]],
    reason: str,
) -> None:
    with pytest.raises(DatabaseError, match=reason):
        connect_several(make(parts, tmp_path))


def test_a_missing_snapshot_or_archive_is_named(parts: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotError, match="there is no snapshot at"):
        connect_several({"eu": tmp_path / "none.duckdb"})
    archive = parts["eu"].with_name("archive")
    archive.rename(tmp_path / "moved")
    try:
        with pytest.raises(DatabaseError, match="cannot be read without its archive"):
            connect_several(parts)
    finally:
        (tmp_path / "moved").rename(archive)
