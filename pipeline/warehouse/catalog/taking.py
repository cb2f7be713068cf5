"""Takes the catalogs of the home into the live database, between the loader's transactions."""

from __future__ import annotations

import logging
from pathlib import Path

import duckdb

from pipeline.warehouse.catalog.entries import CatalogError
from pipeline.warehouse.catalog.store_file import StoreCatalog, catalog_files, read_store

log = logging.getLogger(__name__)

Mark = tuple[int, int, int]


class CatalogTaker:
    """Keeps the tables of `live` equal to the files of its home. One that goes changes nothing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, live: Path) -> None:
        self._connection = connection
        self._live = live
        self._seen: dict[str, Mark] = {}

    def step(self) -> bool:
        """Take the files that have changed; True when a table did.

        To be called between two transactions. A file that cannot be read is logged, and its store
        keeps the catalog that it has. Raises duckdb.Error with the old state intact.
        """
        has_changed = False
        for name, path in catalog_files(self._live).items():
            try:
                # Before it is read: if it is replaced in between, the next step reads it again.
                mark = _mark(path)
                if self._seen.get(name) != mark:
                    self._seen[name] = mark
                    has_changed = take(self._connection, read_store(path)) or has_changed
            except (OSError, CatalogError) as error:
                log.error("a catalog is not taken: %s", error)  # noqa: TRY400  # one line
        return has_changed


def take(connection: duckdb.DuckDBPyConnection, catalog: StoreCatalog) -> bool:
    """Make `catalog` all that the database has of its store; False if it is that already.

    One transaction. Raises duckdb.Error with the old state intact.
    """
    store = {"store": catalog.store}
    held = connection.execute(
        "SELECT sha256 FROM catalog_imports WHERE store_id = $store", store
    ).fetchall()
    if held == [(catalog.sha256,)]:
        return False
    entries = catalog.entries  # DuckDB finds it by its name
    connection.execute("BEGIN")
    try:
        connection.execute("DELETE FROM catalog WHERE store_id = $store", store)
        connection.execute(
            "INSERT INTO catalog BY NAME SELECT $store AS store_id, * FROM entries", store
        )
        connection.execute("DELETE FROM catalog_imports WHERE store_id = $store", store)
        connection.execute(
            "INSERT INTO catalog_imports VALUES ($store, $at, $sha256)",
            {**store, "at": catalog.imported_at.replace(tzinfo=None), "sha256": catalog.sha256},
        )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    log.info("took the catalog of %s: %d entries", catalog.store, len(entries))
    return True


def _mark(path: Path) -> Mark:
    """Another one for another content, or other permissions."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns, found.st_size
