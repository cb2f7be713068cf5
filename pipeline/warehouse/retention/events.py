"""Events: rows, and files of the archive, once nothing that is kept is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import duckdb

from pipeline.warehouse.manifest import define_events
from pipeline.warehouse.retention.transaction import run
from pipeline.warehouse.sql import files, quoted

# Of a relation whose rows go. The same as `expired_events.sql` counts of the table.
COUNTED = """
    MERGE INTO dropped_rows AS held
    USING (
        SELECT partition, count(*) AS events
        FROM {}
        GROUP BY partition
    ) AS gone ON held.partition = gone.partition
    WHEN MATCHED THEN UPDATE SET events = held.events + gone.events
    WHEN NOT MATCHED THEN INSERT (partition, events, duplicates)
        VALUES (gone.partition, gone.events, 0)
"""


def expire(
    connection: duckdb.DuckDBPyConnection,
    term: timedelta,
    *,
    folder: Path,
    unnamed: Callable[[Iterable[str]], None],
) -> bool:
    """Move `events_from` by a day of events, if it may move; False if it stays.

    A file of the archive in `folder` goes once all of it lies before: `unnamed` is told its name,
    and deletes it when no snapshot names it any more.
    """
    connection.execute("SET VARIABLE term = $term", {"term": term})
    connection.execute(dict(files("retention"))["next_events_cut"])
    ((is_due,),) = connection.execute("SELECT getvariable('cut') IS NOT NULL").fetchall()
    if not is_due:
        return False
    before = connection.execute(
        "SELECT name FROM archive_files WHERE last_at < getvariable('cut')"
    ).fetchall()
    names = [name for (name,) in before]

    def unname() -> None:
        for name in names:
            file = f"read_parquet({quoted(folder / name)}, hive_partitioning = false)"
            connection.execute(COUNTED.format(file))
            connection.execute("DELETE FROM archive_files WHERE name = $name", {"name": name})
        if names:
            connection.execute("UPDATE archive_folder SET changes = changes + 1")
            define_events(connection, folder)

    run(connection, "expired_events", then=unname)
    unnamed(names)
    return True
