"""DuckDB takes only its share of the machine, and its temporary files are private and go."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from pipeline.config import MEBIBYTE, Settings
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import DatabaseError, connect_live
from pipeline.warehouse.resources import Resources

SPILL = "CREATE TEMP TABLE spilled AS SELECT n, md5(n::VARCHAR) AS text FROM range(3000000) r(n)"
# A loader that is killed while some of its rows are in temporary files.
KILLED = f"""
import os, sys
from pathlib import Path
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import connect_live
from pipeline.warehouse.resources import Resources
path, folder = map(Path, sys.argv[1:])
resources = Resources({64 * MEBIBYTE}, folder=folder)
connection = connect_live(path, Rules(), resources)
connection.execute("{SPILL}")
os.kill(os.getpid(), 9)
"""


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_memory_threads_and_folder_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, load_memory_bytes=1 << 28, load_threads=3)
    names = ("memory_limit", "threads", "temp_directory")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    with connect_live(tmp_path / "live.duckdb", Rules(), Resources.of(settings)) as connection:
        memory, threads, folder = connection.execute(query).fetchall()[0]
    assert (memory, threads) == ("256.0 MiB", 3)
    assert Path(folder).parent == tmp_path / "tmp"


def test_what_exceeds_the_memory_is_in_private_files_that_a_killed_process_leaves_to_the_next(
    tmp_path: Path,
) -> None:
    path, folder = tmp_path / "live.duckdb", tmp_path / "elsewhere"
    command = [sys.executable, "-c", KILLED, str(path), str(folder)]
    assert subprocess.run(command, check=False).returncode == -9
    (own,) = folder.iterdir()
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert files(folder) != []
    other = tmp_path / "other.duckdb"
    with connect_live(other, Rules(), Resources(folder=folder)):
        assert files(folder) != []  # not its own
    with connect_live(path, Rules(), Resources(folder=folder)):
        assert files(folder) == []


def test_a_second_loader_deletes_no_temporary_file_of_the_first(tmp_path: Path) -> None:
    path, folder = tmp_path / "live.duckdb", tmp_path / "tmp"
    second = (
        "import sys; from pathlib import Path; from pipeline.domain.rules import Rules;"
        "from pipeline.warehouse.database import connect_live;"
        "from pipeline.warehouse.resources import Resources;"
        "connect_live(Path(sys.argv[1]), Rules(), Resources(folder=Path(sys.argv[2])))"
    )
    with connect_live(path, Rules(), Resources(64 * MEBIBYTE, folder=folder)) as connection:
        connection.execute(SPILL)
        before = files(folder)
        command = [sys.executable, "-c", second, str(path), str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert DatabaseError.__name__ in done.stderr
        assert files(folder) == before != []
        count = connection.execute("SELECT count(DISTINCT text) FROM spilled").fetchall()
    assert count == [(3_000_000,)]
