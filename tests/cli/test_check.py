"""`pipeline check` and `pipeline status` on a damaged archive and on a snapshot of old."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest
from archived import archive_days, flip
from factories import DAY, MINUTE, RULES, Log, click
from processes import Pipeline
from warehouse_fixture import Warehouse

from pipeline.config import Settings
from pipeline.kafka.admin import create_topics
from pipeline.warehouse.manifest import archive_folder

OLD = Path(__file__).parents[1] / "upgrade" / "0006_what_stores_send.duckdb.gz"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The files of an archive, two of them."""
    live = tmp_path / "live.duckdb"
    warehouse, log = Warehouse(live, RULES), Log(RULES)
    warehouse.load(log.send(click(number * DAY // MINUTE)) for number in range(4))
    warehouse.connection.close()
    return [archive_folder(live) / file.name for file in archive_days(live, RULES)]


def test_a_whole_archive_holds(pipeline: Pipeline, files: list[Path], tmp_path: Path) -> None:
    done = pipeline("check", "--database", str(tmp_path / "live.duckdb"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "holds   archive_files"
    assert len(files) == 2


def test_each_damaged_file_is_named_and_nothing_else_is_checked(
    pipeline: Pipeline, files: list[Path], tmp_path: Path
) -> None:
    flip(files[0])
    files[1].unlink()
    done = pipeline("check", "--database", str(tmp_path / "live.duckdb"))
    first, *problems = done.stdout.splitlines()
    assert (done.returncode, first) == (1, "broken  archive_files")
    assert len(problems) == 2
    for file in files:
        assert any(f"archived events are damaged: {file} has" in each for each in problems) or any(
            f"archived events are missing: {file} (No such" in each for each in problems
        )
    assert done.stderr == "no other check was run: restore these files first\n"


def test_a_snapshot_of_an_earlier_version_says_what_upgrades_it(
    pipeline: Pipeline, settings: Settings
) -> None:
    create_topics(settings)
    settings.database.write_bytes(gzip.decompress(OLD.read_bytes()))
    done = pipeline(
        "status",
        home=str(settings.home),
        kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        partitions=str(settings.partitions),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "of another version of the pipeline: this version's loader upgrades" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_of_another_program_holds_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.duckdb"
    with duckdb.connect(foreign) as connection:
        connection.execute("CREATE TABLE events (a INTEGER)")
    for verb in (("check",), ("query", "kpis", "--all-time")):
        done = pipeline(*verb, "--database", str(foreign))
        told = f"Error: {foreign} is no database of the pipeline\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
