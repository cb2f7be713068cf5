"""Catalogs for homes of tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.warehouse.catalog.entries import Entry
from pipeline.warehouse.catalog.store_file import write_store
from pipeline.warehouse.catalog.taking import CatalogTaker

DRESS = Entry("product", "1", "Linen dress", "https://shop.example/1", None, "Dresses")
HOME_PAGE = Entry("block", "home", "Home page")


def imported(live: Path, *entries: Entry, store: str = "shop") -> None:
    """As `pipeline catalog import` leaves it."""
    write_store(live, store, entries, at=datetime.now(UTC))


def give(connection: duckdb.DuckDBPyConnection, live: Path, *entries: Entry, store: str) -> None:
    """Import it and take it into the live database."""
    imported(live, *entries, store=store)
    assert CatalogTaker(connection, live).step()
