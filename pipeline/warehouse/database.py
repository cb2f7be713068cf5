"""Opens DuckDB: the loader's live file, and the published snapshot that everyone else reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from pipeline.domain.rules import Rules
from pipeline.warehouse.beside import delete_leftovers
from pipeline.warehouse.cause import cause
from pipeline.warehouse.damage import why_closed
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.limits import lock
from pipeline.warehouse.manifest import (
    ArchiveError,
    archive_folder,
    define_events,
    expected_folder,
    verify,
    verify_types,
)
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.sql import files, in_order, quoted, table_macros
from pipeline.warehouse.views import keep_views

# Clients from 1.2 on can read it; the default of 2.0 excludes all of 1.x.
STORAGE_VERSION = "v1.2.0"
# Of the log, between snapshots. A checkpoint writes whole row groups for a few new rows: it costs
# hardly more for four times the log (decision 0033).
CHECKPOINT_THRESHOLD = "64MB"


class DatabaseError(Exception):
    """The database cannot be used. The message is one line that says what to do."""


class NoSnapshotError(DatabaseError):
    """No snapshot has been published yet."""


def connect_live(
    path: Path, rules: Rules, resources: Resources | None = None
) -> duckdb.DuckDBPyConnection:
    """The loader's connection: migrated, with current views and macros, and staging tables.

    Raises `DatabaseError` when another process holds the file, it was made with other rules, or a
    file of its archive is missing or damaged.
    """
    delete_leftovers(path)
    connection = open_live(path, resources)
    try:
        _prepare(connection, rules, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_live(path: Path, resources: Resources | None = None) -> duckdb.DuckDBPyConnection:
    """A connection that writes, to the file as it is.

    Raises `DatabaseError` when it is held by another process or damaged.
    """
    resources = resources or Resources()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        # An earlier version may have let others read it.
        path.chmod(0o600)
    try:
        connection = duckdb.connect(
            path,
            config={
                "storage_compatibility_version": STORAGE_VERSION,
                "autoinstall_known_extensions": False,
                "checkpoint_threshold": CHECKPOINT_THRESHOLD,
                "memory_limit": f"{resources.memory}B",
                "threads": resources.threads,
            },
        )
    except duckdb.Error as error:
        why = why_closed(
            error,
            held="cannot be opened for writing: is another loader running?",
            damaged="move it away with its .wal and run `pipeline rebuild --from-snapshot`, or"
            " `pipeline restore` a backup into a new home",
        )
        raise DatabaseError(f"{path} {why}") from None
    try:
        resources.prepare(connection, path)
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection, rules: Rules, path: Path) -> None:
    migrate(connection)
    _define_events(connection, path)
    keep_rules(connection, rules, path)
    for name in table_macros():
        connection.execute(f"DROP MACRO TABLE IF EXISTS {name}")  # of an earlier version
    define_scalar_macros(connection)
    define(connection)
    refuse_other_zones(connection, path)
    keep_views(connection)
    connection.execute(dict(files("load"))["staging_tables"])


def _define_events(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Before the views and macros that read it."""
    folder = archive_folder(path)
    try:
        verify(connection, folder)
        define_events(connection, folder)
        verify_types(connection)
    except ArchiveError as error:
        raise DatabaseError(str(error)) from None


def attached(path: Path, **config: str | bool | int) -> duckdb.DuckDBPyConnection:
    """A new in-memory database whose default catalog is the file at `path`, read-only.

    Ordinary connections to a file share one instance within a process: they share settings and
    locks, and keep reading a file that was replaced. Raises duckdb.Error.
    """
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            # A table that a file lacks is no variable of ours that has its name.
            "python_enable_replacements": False,
            **config,
        }
    )
    try:
        connection.execute(f"SET temp_directory = {quoted(f'{path}.tmp')}")
        connection.execute(f"ATTACH {quoted(path)} AS snapshot (READ_ONLY)")
        connection.execute("USE snapshot")
    except BaseException:
        connection.close()
        raise
    return connection


def unreadable(path: Path, error: duckdb.Error) -> DatabaseError:
    """That the snapshot at `path` cannot be opened, for `error`."""
    why = why_closed(
        error,
        held="cannot be read: is it open for writing?",
        damaged="if it is the snapshot, move it away, and the loader publishes a new one; a file of"
        " `pipeline local` is created again",
    )
    return DatabaseError(f"{path} {why}")


def connect_published(path: Path, *, memory: int | None = None) -> duckdb.DuckDBPyConnection:
    """As `open_published`, with the macros of `define`, which questions and checks need."""
    connection = open_published(path, memory=memory)
    try:
        define(connection)
    except duckdb.IOException as error:  # binding reads a file of the archive
        connection.close()
        raise DatabaseError(f"{path} cannot be read without its archive: {cause(error)}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def open_published(path: Path, *, memory: int | None = None) -> duckdb.DuckDBPyConnection:
    """A reader's connection to the tables and views of the snapshot.

    It can read no other file but those of the archive beside it, and write none. `memory` is as in
    `lock`. Raises `NoSnapshotError` when there is no snapshot yet, `DatabaseError` when it cannot
    be read.
    """
    if not path.exists():
        raise NoSnapshotError(
            f"no snapshot at {path} yet: start `pipeline up`, or wait until it publishes one"
        )
    try:
        connection = attached(path)
    except duckdb.Error as error:
        raise unreadable(path, error) from None
    try:
        connection.execute("SET TimeZone = 'UTC'")
        _refuse_foreign(connection, path)
        _refuse_archive_elsewhere(connection, path)
        lock(connection, archive_folder(path), memory=memory)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_foreign(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    of_ours = "FROM duckdb_tables() WHERE table_name = 'migrations'"
    if not connection.execute(of_ours).fetchall():
        raise DatabaseError(f"{path} is no database of the pipeline")


def _refuse_archive_elsewhere(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """A snapshot names its archive by absolute paths: copied or moved, it finds none."""
    expected, there = expected_folder(connection), archive_folder(path)
    if expected not in (None, there):
        raise DatabaseError(
            f"{path} expects its archive at {expected}, and was moved or copied to another folder:"
            " the loader that starts with that home publishes one that reads it there; else put"
            " both back"
        )


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table macros and those of `sql/recompute` for the lifetime of `connection`.

    A snapshot does not contain them: attached under another name they would read another file.
    """
    for name, text in in_order("macros"):
        if name in table_macros():
            connection.execute(text.replace("REPLACE MACRO", "REPLACE TEMP MACRO"))
    for _, text in in_order("recompute"):
        connection.execute(text)


def define_scalar_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create those of `sql/macros`; views and the macros of `define` use them."""
    for name, text in in_order("macros"):
        if name not in table_macros():
            connection.execute(text)


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Apply the new migrations.

    Raises `DatabaseError` when an applied migration was edited, or this version lacks it.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (name VARCHAR NOT NULL, sha256 VARCHAR NOT NULL)"
    )
    applied = dict(connection.execute("SELECT name, sha256 FROM migrations").fetchall())
    ours = files("migrations")
    newer = sorted(applied.keys() - dict(ours).keys())
    if newer:
        raise DatabaseError(
            f"the database has migration {newer[0]}, which this version does not know: start the"
            " version that created it, or a later one"
        )
    for name, text in ours:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name not in applied:
            connection.execute("BEGIN")
            connection.execute(text)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [name, digest])
            connection.execute("COMMIT")
        elif applied[name] != digest:
            raise DatabaseError(f"migration {name} was edited after it was applied: add a new one")


def keep_rules(connection: duckdb.DuckDBPyConnection, rules: Rules, path: Path) -> None:
    """Note the rules of a new database. Raises `DatabaseError` when one has others."""
    held = HeldRules.read(connection)
    if held is None:
        connection.execute(
            "INSERT INTO rules (digest, gap, lookback, lateness, most_touches, warehouse_digest)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                rules.digest(),
                rules.gap,
                rules.lookback,
                rules.lateness,
                rules.most_touches,
                rules.warehouse_digest(),
            ],
        )
    elif refusal := held.refusal(rules):
        raise DatabaseError(f"{path} {refusal}")
    # No stored row depends on the half-life.
    connection.execute("UPDATE rules SET half_life = ?", [rules.half_life])


def refuse_other_zones(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Days that are stored must not mix with days of other zone data (T10).

    Needs the macros of `define`. Raises `DatabaseError`.
    """
    moved = connection.execute(
        "SELECT store_id, timezone FROM stores WHERE zone_digest <> zone_digest(timezone)"
    ).fetchall()
    if moved:
        raise DatabaseError(
            f"{path} has days of store {moved[0][0]} by other data of the zone {moved[0][1]} than"
            " this DuckDB has: install the version of duckdb that made it, or let `pipeline rules"
            " adopt` make the days again"
        )
