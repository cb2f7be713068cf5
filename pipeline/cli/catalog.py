"""`pipeline catalog`: titles for products and lists, from a file of the store."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings

STORE = click.option(
    "--store", help="Store that the entries are of. Default: the only one in the stores file."
)
_SEEN = "A running loader publishes that with its next snapshot, a stopped one when it starts."


@click.group()
def catalog() -> None:
    """Give products and lists the titles that queries and the dashboard show."""


@catalog.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@STORE
@with_settings
def import_(settings: Settings, file: Path, *, store: str | None) -> None:
    """Make the CSV FILE the whole catalog of a store, in the place of the one before.

    Columns: id and title; optional are kind (product, variant, collection, block or token), url,
    image and category. Run it where the loader runs. A bad row refuses the file.
    """
    from pipeline.printable import printable
    from pipeline.warehouse.catalog.reading import read_catalog
    from pipeline.warehouse.catalog.store_file import write_store

    store = _store(settings, store)
    found = read_catalog(file)
    write_store(settings.live_database, store, found.entries, at=datetime.now(UTC))
    if found.unread:
        click.echo(printable(f"columns that are not read: {', '.join(found.unread)}"), err=True)
    kinds = Counter(entry.kind for entry in found.entries)
    counts = ", ".join(f"{count:,} of kind {kind}" for kind, count in kinds.items())
    click.echo(printable(f"the catalog of {store} has {counts or 'no entries'}. {_SEEN}"))


@catalog.command("clear")
@STORE
@with_settings
def clear(settings: Settings, *, store: str | None) -> None:
    """Empty the catalog of a store."""
    from pipeline.printable import printable
    from pipeline.warehouse.catalog.store_file import write_store

    store = _store(settings, store)
    write_store(settings.live_database, store, [], at=datetime.now(UTC))
    click.echo(printable(f"the catalog of {store} has no entries. {_SEEN}"))


def _store(settings: Settings, store: str | None) -> str:
    """The store that is meant; a name that is not in the stores file is a slip."""
    from pipeline.ingest.stores import read_entries

    known = list(read_entries(settings.stores)) if settings.stores.exists() else []
    names = ", ".join(known)
    if store is None:
        if len(known) != 1:
            raise click.UsageError(f"name a --store{f': {names}' if known else ''}")
        return known[0]
    if known and store not in known:
        raise click.UsageError(f"{settings.stores} has no store {store!r}; it has: {names}")
    return store
