"""Makes the live database again from its events, beside it, and puts it in its place.

What is derived is recomputed by the macros that define the checks; the rest is copied as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.domain.rules import Rules
from pipeline.warehouse.aggregates import AGGREGATES, SUMS, Aggregate
from pipeline.warehouse.archive.integrity import refuse_damaged
from pipeline.warehouse.beside import beside, sync
from pipeline.warehouse.database import (
    DatabaseError,
    NoSnapshotError,
    connect_live,
    define,
    keep_rules,
    migrate,
    open_live,
    refuse_other_zones,
)
from pipeline.warehouse.days import DAYS
from pipeline.warehouse.load.summing import sum_all
from pipeline.warehouse.load.transaction import Transactions
from pipeline.warehouse.manifest import (
    ArchiveError,
    archive_files,
    archive_folder,
    define_events,
)
from pipeline.warehouse.queries import broken
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.copying import CopyError, copied
from pipeline.warehouse.sql import files, quoted

Progress = Callable[[str, int, int], None]
"""Takes what is being done, how many steps are done, and how many there are."""

BUCKET_EVENTS = 1_000_000
"""Events of a bucket of devices: some hundred bytes each are in memory at a time."""

# The columns that `rebuild.devices` and `rebuild.orders` fill, by the time that the loader's bounds
# on the table are in.
_DERIVED = {
    "order_lines": "occurred_at",
    "sessions": "started_at",
    "session_revenue": "started_at",
    "conversion_facts": "occurred_at",
    "conversion_touches": "occurred_at",
    "touches": "touched_at",
    "late_devices": "reaches",
}
_DATED = {
    "hot_events": "in_events",
    "duplicates": "in_duplicates",
    "rejected_events": "in_rejected",
}
_ARCHIVE = {"archive_files", "archive_folder"}
# The new database has its own.
_OWN = {"migrations", "rules", "stores", "summed_until", "unsummed_sessions"}
_STORES = """
    INSERT INTO stores
    SELECT store_id, zone, zone_digest(zone)
    FROM (
        SELECT store_id, coalesce(map($stores, $zones)[store_id], timezone) AS zone
        FROM old.stores
    )
"""

# Whether days of events are others than before.
_MOVED = """
    SELECT EXISTS (
        FROM stores JOIN old.stores AS held USING (store_id)
        WHERE (stores.timezone, stores.zone_digest) <> (held.timezone, held.zone_digest)
    )
"""
# A session that other rules end earlier no longer keeps its orders (T11).
_EXPIRED_AGAIN = "SET VARIABLE cut = (SELECT derived_from FROM retention);"


def _silent(_name: str, _done: int, _steps: int) -> None:
    pass


def rebuild(
    live: Path,
    rules: Rules,
    *,
    resources: Resources | None = None,
    progress: Progress = _silent,
) -> None:
    """Replace `live` by a rebuild of it under the same `rules`. A kill leaves the old or the new.

    Raises `DatabaseError` if a loader has it open, it was made with other rules, or a check fails
    on the new one; the old one then stays.
    """
    if not live.exists():
        raise DatabaseError(
            f"there is no {live} to rebuild: `pipeline rebuild --from-snapshot` starts from the"
            " published snapshot"
        )
    with settled(live, resources) as connection:
        keep_rules(connection, rules, live)
        define(connection)
        refuse_other_zones(connection, live)
    with replaced(live, rules, zones={}, resources=resources, progress=progress):
        pass


@contextmanager
def settled(path: Path, resources: Resources | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the migrated file, after which nothing of it is in a log.

    Raises `DatabaseError` if another process has it open, or its archive is damaged.
    """
    with open_live(path, resources) as connection:
        migrate(connection)
        folder = archive_folder(path)
        try:
            # Tables that are made of damaged events would pass every check.
            refuse_damaged(archive_files(connection), folder)
        except ArchiveError as error:
            raise DatabaseError(str(error)) from None
        # Its home may have moved.
        define_events(connection, folder)
        yield connection
        connection.execute("CHECKPOINT")


@contextmanager
def replaced(
    live: Path,
    rules: Rules,
    *,
    zones: Mapping[str, str],
    resources: Resources | None = None,
    progress: Progress = _silent,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The rebuild of the settled `live`, which takes its place after the `with`.

    Every check holds on it. Raises `DatabaseError` if one does not.
    """
    with (
        beside(live) as fresh,
        rebuilt(
            live, fresh, rules, zones=zones, resources=resources, progress=progress
        ) as connection,
    ):
        # It would be replayed onto the new file.
        if live.with_name(f"{live.name}.wal").exists():
            raise DatabaseError(f"a loader has just written to {live}: stop it, and start again")
        failed = [name for name, answer in broken(connection).items() if answer.rows]
        if failed:
            raise DatabaseError(
                f"{live} stays as it was: its rebuild breaks the checks {', '.join(failed)};"
                " please report this"
            )
        yield connection
        connection.execute("CHECKPOINT")
        sync(fresh)
        # Both files are still locked, so no loader can have opened either.
        fresh.replace(live)
        sync(live.parent)


def restore(snapshot: Path, live: Path) -> None:
    """Make the lost `live` of `snapshot`, whose positions say where the loader reads on.

    Raises `DatabaseError` if there is a live database, or no snapshot.
    """
    if not snapshot.exists():
        raise NoSnapshotError(f"there is no snapshot at {snapshot}")
    try:
        with copied(snapshot, live) as fresh:
            fresh.chmod(0o600)
            sync(fresh)
            # The log of the lost file would be replayed onto this one.
            if not live.exists():
                live.with_name(f"{live.name}.wal").unlink(missing_ok=True)
            # Unlike a rename it replaces nothing: a loader may have begun a new database.
            live.hardlink_to(fresh)
    except FileExistsError:
        raise DatabaseError(
            f"{live} exists: rebuild it, or move it away with its .wal to start from the snapshot"
        ) from None
    except CopyError as error:
        raise DatabaseError(f"{snapshot} could not be copied: {error}") from None
    sync(live.parent)


@contextmanager
def rebuilt(
    source: Path,
    fresh: Path,
    rules: Rules,
    *,
    zones: Mapping[str, str],
    resources: Resources | None = None,
    progress: Progress = _silent,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new database `fresh` with the facts of `source`, attached as `old`, under `rules`.

    `source` is migrated, and locked against writers meanwhile. `zones` replace the time zones of
    the stores named in it (T10).
    """
    with connect_live(fresh, rules, resources) as connection:
        connection.execute(f"ATTACH {quoted(source)} AS old (READ_ONLY)")
        connection.execute(_STORES, {"stores": list(zones), "zones": list(zones.values())})
        connection.execute("UPDATE rules SET former = (SELECT former FROM old.rules)")
        ((moved,),) = connection.execute(_MOVED).fetchall()
        copies, recomputes = _copies(connection, thaw=moved), _recomputes(connection)
        steps = len(copies) + len(recomputes) + 2
        for done, (name, text) in enumerate(copies):
            progress(name, done, steps)
            connection.execute(text)
        define_events(connection, archive_folder(source))
        for done, (name, text) in enumerate(recomputes, len(copies)):
            progress(name, done, steps)
            connection.execute(text)
        progress("summing sessions", steps - 2, steps)
        _sum_sessions(connection)
        progress("checking", steps - 1, steps)
        yield connection


def _copies(connection: duckdb.DuckDBPyConnection, *, thaw: bool) -> list[tuple[str, str]]:
    """What is taken over, each with its name.

    Archived rows have the days of their stores (T10), and move with them. With `thaw` they are
    copied into the table, and the archive begins anew.
    """
    aggregates = [aggregate.name for aggregate in (*AGGREGATES, *SUMS)]
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' ORDER BY ALL"
    ).fetchall()
    left = {*_DERIVED, *aggregates, *_OWN, *(_ARCHIVE if thaw else ())}
    copied = [name for (name,) in tables if name not in left]
    # It is in the new database already.
    emptied = [] if thaw else [("emptying archive_folder", "DELETE FROM archive_folder")]
    return [
        *emptied,
        *((f"copying {name}", _copy(name, thaw=thaw)) for name in copied),
    ]


def _recomputes(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """What is recomputed, in order, each with its name."""
    ((events,),) = connection.execute("SELECT count(*) FROM old.events").fetchall()
    buckets = events // BUCKET_EVENTS + 1
    text = dict(files("rebuild"))

    def in_buckets(name: str) -> list[tuple[str, str]]:
        return [(name, f"SET VARIABLE bucket = {n}; {text[name]}") for n in range(buckets)]

    return [
        ("buckets", f"SET VARIABLE buckets = {buckets}; {text['buckets']}"),
        *((f"buckets of {name}", _staged(name)) for name in _DERIVED),
        ("settled orders", text["settled"]),
        *in_buckets("orders"),
        ("writing order_lines", _write("order_lines")),
        *in_buckets("devices"),
        *((f"writing {name}", _write(name)) for name in _DERIVED if name != "order_lines"),
        ("expired orders", _EXPIRED_AGAIN + dict(files("retention"))["expired_days"]),
        *((f"writing {aggregate.name}", _sum(aggregate)) for aggregate in AGGREGATES),
    ]


def _sum(aggregate: Aggregate) -> str:
    """Days whose rows have gone stay as they are (T11)."""
    sources = ", ".join(f"'{table}'" for table in aggregate.tables)
    return f"""
        INSERT INTO {aggregate.name} BY NAME
        FROM old.{aggregate.name} WHERE NOT is_whole_day(day) ORDER BY day;
        INSERT INTO {aggregate.name} BY NAME
        FROM recompute_{aggregate.name}({sources}) WHERE is_whole_day(day) ORDER BY day;
    """  # our own names


def _sum_sessions(connection: duckdb.DuckDBPyConnection) -> None:
    """As far as the loader would. Days whose rows have gone stay as they are."""
    sum_all(connection, Transactions(connection))
    connection.execute("RESET disabled_optimizers")  # of transactions, which are small
    for aggregate in SUMS:
        connection.execute(f"""
            DELETE FROM {aggregate.name} WHERE NOT is_whole_day(day);
            INSERT INTO {aggregate.name} FROM old.{aggregate.name} WHERE NOT is_whole_day(day);
        """)  # noqa: S608  # our own names


def _copy(table: str, *, thaw: bool) -> str:
    source = "events" if thaw and table == "hot_events" else table
    if table not in _DATED:
        return f"INSERT INTO {table} BY NAME FROM old.{table}"  # our own names
    days = ", ".join(f"{value} AS {name}" for name, value in DAYS[_DATED[table]].items())
    return f"""
        INSERT INTO {table} BY NAME
        SELECT held.* REPLACE ({days})
        FROM old.{source} AS held LEFT JOIN stores USING (store_id)
    """  # noqa: S608  # our own names


def _staged(table: str) -> str:
    # The rows of all buckets, until they are written in the order of time of the loader's bounds.
    return f"CREATE TEMP TABLE rebuilt_{table} AS FROM {table} WITH NO DATA"


def _write(table: str) -> str:
    return f"""
        INSERT INTO {table} FROM rebuilt_{table} ORDER BY {_DERIVED[table]};
        DROP TABLE rebuilt_{table};
    """  # our own names
