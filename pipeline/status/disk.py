"""What of the disk a home takes: by table of the snapshot, and by what the processes write."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from pipeline.config import Settings
from pipeline.warehouse.database import NoSnapshotError, open_published
from pipeline.warehouse.manifest import FOLDER
from pipeline.warehouse.queries import QueryResult


def disk_use(settings: Settings) -> QueryResult:
    """A row for each part of the home, then for each table in the snapshot: bytes as on disk.

    Files that are shared, by reflink or hard link, count each time. Raises `DatabaseError`.
    """
    rows = _of_files(settings)
    with suppress(NoSnapshotError):
        rows += _of_tables(settings.database)
    return QueryResult(["what", "bytes"], [(what, size) for what, size in rows])


def free_bytes(settings: Settings) -> int:
    """Free bytes of the disk that has the home, or will have it."""
    path = settings.home.resolve()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def free(settings: Settings) -> str:
    """The same, as text."""
    return f"disk: {free_bytes(settings) / 1e9:,.1f} GB free"


def _of_files(settings: Settings) -> list[tuple[str, int]]:
    live, snapshot = settings.live_database, settings.database
    exceeding = settings.temp_directory or settings.home / "tmp"
    earlier = [path for path in _beside(snapshot) if path.suffix[1:].isdigit()]
    copies = [path for path in _beside(snapshot) if path not in earlier and path.suffix != ".wal"]
    return [
        ("live database", _bytes(live)),
        ("live database, log", _bytes(live.with_name(f"{live.name}.wal"))),
        ("snapshot", _bytes(snapshot)),
        ("snapshots kept", sum(map(_bytes, earlier))),
        ("snapshot being copied", sum(map(_bytes, copies))),
        ("archive", _bytes(settings.home / FOLDER)),
        (
            "what exceeds the loader's memory",
            _bytes(exceeding),
        ),
        ("spool", _bytes(settings.home / "spool")),
        ("workers' state", _bytes(settings.home / "state")),
        ("embedded Kafka", _bytes(settings.home / "kafka")),
    ]


def _beside(path: Path) -> list[Path]:
    return [] if not path.parent.exists() else list(path.parent.glob(f"{path.name}.*"))


def _bytes(path: Path) -> int:
    """The bytes of a file or of all files in a folder; 0 if there is none."""
    if not path.is_dir():
        return _size(path)
    return sum(_size(each) for each in path.rglob("*") if not each.is_dir())


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0  # gone meanwhile, as a copy or a segment of Kafka may be


def _of_tables(snapshot: Path) -> list[tuple[str, int]]:
    with open_published(snapshot) as connection:
        ((size, free),) = connection.execute(
            "SELECT block_size, free_blocks FROM pragma_database_size()"
            " WHERE database_name = current_database()"
        ).fetchall()
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables()"
            " WHERE database_name = current_database() AND NOT temporary"
        ).fetchall()
        rows = []
        for (name,) in tables:
            # Of a small table all columns share a block with those of others.
            ((blocks,),) = connection.execute(
                "SELECT count(DISTINCT block) FROM ("
                "SELECT unnest(list_prepend(block_id, additional_block_ids)) AS block"
                " FROM pragma_storage_info($name)) WHERE block >= 0",
                {"name": name},
            ).fetchall()
            rows.append((f"table {name}", int(blocks) * size))
    rows.sort(key=lambda row: (-row[1], row[0]))
    return [("free blocks in the snapshot", free * size), *rows]
