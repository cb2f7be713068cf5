"""`pipeline erase`: leave nothing of a device, or of a customer's devices."""

from __future__ import annotations

import time
from errno import ENOENT
from os import strerror
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.config import Settings
    from pipeline.delivery.erasing import Asked
    from pipeline.warehouse.erasing.before import Home

# Seconds between two looks.
PAUSE = 0.2


@click.command()
@click.option("--store", help="Store that the events were sent for.")
@click.option("--device", "devices", multiple=True, metavar="ID", help="A device_id.")
@click.option(
    "--session", "sessions", multiple=True, metavar="ID", help="A session_id without a device_id."
)
@click.option("--customer", metavar="ID", help="Events with this customer_id.")
@click.option(
    "--devices", "is_whole", is_flag=True, help="With --customer: whole devices, whoever used them."
)
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="All that occurred before DATE (UTC), in all stores; with the loader stopped.",
)
@with_settings
def erase(
    settings: Settings,
    *,
    store: str | None,
    devices: tuple[str, ...],
    sessions: tuple[str, ...],
    customer: str | None,
    is_whole: bool,
    before: datetime | None,
) -> None:
    """Erase devices, a customer's events, or all before a date, and print receipts.

    Run it where the loader runs. For devices and customers it waits until worker and loader have
    erased them. Asking again does no harm.
    """
    if before is not None:
        if store or devices or sessions or customer:
            raise click.UsageError("--before is for all stores and devices: name no others")
        _refuse_elsewhere(settings)
        from pipeline.warehouse.erasing.before import erase_before

        click.echo(erase_before(home_of(settings), before.date()))
        _keep_beside_backups(settings)
        return
    if store is None:
        raise click.UsageError("name a --store, or a date with --before")
    if not all((store, *devices, *sessions, customer is None or customer)):
        raise click.UsageError("an empty id names nobody: is a variable of the shell not set?")
    from pipeline.cli.command import on_kafka
    from pipeline.delivery.erasing import ask
    from pipeline.domain.erasure import customer_key
    from pipeline.warehouse.erasing.erasures import ErasureKey
    from pipeline.warehouse.erasing.receipts import receipt_file

    _refuse_elsewhere(settings)
    _refuse_unknown(settings, store)
    settings = on_kafka(settings)
    asked: list[Asked] = [(store, f"d:{device}", None) for device in devices]
    asked += [(store, f"s:{session}", None) for session in sessions]
    if customer is not None:
        whose = None if is_whole else customer
        asked += [(store, key, whose) for key in _devices_of(settings, store, customer)]
    if not asked:
        raise click.UsageError("name a --device, a --session or a --customer")
    live = settings.live_database
    secret = ErasureKey.made(live)
    places = ask(settings, asked)
    click.echo(f"{len(asked)} to erase: waiting for worker and loader", err=True)
    for (_, device, whose), (partition, offset) in zip(asked, places, strict=True):
        key = device if whose is None else customer_key(whose)
        path = receipt_file(live, secret.hash_of(store, key), partition, offset)
        click.echo(_awaited(path))
    _keep_beside_backups(settings)


def _refuse_elsewhere(settings: Settings) -> None:
    """Before anything is made: without the loader's home nobody would erase."""
    if not settings.live_database.exists():
        raise click.ClickException(
            f"there is no {settings.live_database}: run it where the loader runs, with its"
            " PIPELINE_HOME"
        )


def _refuse_unknown(settings: Settings, store: str) -> None:
    """A store that nothing was sent for is a slip: its receipt would tell of nothing erased."""
    from contextlib import suppress

    from pipeline.ingest.stores import read_entries
    from pipeline.warehouse.database import NoSnapshotError, open_published

    known = set(read_entries(settings.stores)) if settings.stores.exists() else set()
    with suppress(NoSnapshotError), open_published(settings.database) as connection:
        known |= {name for (name,) in connection.execute("SELECT store_id FROM stores").fetchall()}
    if known and store not in known:
        raise click.UsageError(f"no store {store!r}; there are: {', '.join(sorted(known))}")


def home_of(settings: Settings) -> Home:
    """The home that `settings` name, for what works on it with the loader stopped."""
    from pipeline.warehouse.erasing.before import Home
    from pipeline.warehouse.resources import Resources

    return Home(
        settings.live_database,
        settings.database,
        settings.rules,
        settings.partitions,
        Resources.of(settings),
        settings.snapshot_mode,
    )


def _keep_beside_backups(settings: Settings) -> None:
    """A backup of before must not bring it back."""
    from pipeline.warehouse.backup.erased_since import keep
    from pipeline.warehouse.backup.last_backup import LastBackup

    newest = LastBackup.recorded(settings.home)
    if newest is None:
        return
    folder = Path(newest.folder).parent
    try:
        if not folder.is_dir():
            raise FileNotFoundError(ENOENT, strerror(ENOENT))
        keep(settings.live_database, folder)
    except OSError as error:
        click.echo(
            f"the receipt is not beside the backups in {folder} ({error.strerror}): `pipeline"
            " backup` writes it there",
            err=True,
        )


def _awaited(path: Path) -> str:
    while not path.exists():
        time.sleep(PAUSE)
    return path.read_text()


def _devices_of(settings: Settings, store: str, customer: str) -> list[str]:
    """The device keys of a customer, as the snapshot knows them."""
    from pipeline.warehouse.database import connect_published
    from pipeline.warehouse.erasing.customers import devices_of_customer

    with connect_published(settings.database) as connection:
        found = devices_of_customer(connection, store, customer)
    if not found:
        raise click.ClickException(f"the snapshot holds no event of customer {customer!r}")
    return found
