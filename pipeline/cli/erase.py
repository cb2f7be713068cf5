"""`pipeline erase`: leave nothing of a device, or of a customer's devices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Settings

# Seconds between two looks.
PAUSE = 0.2


@click.command()
@click.option("--store", required=True, help="Store that the events were sent for.")
@click.option("--device", "devices", multiple=True, metavar="ID", help="A device_id.")
@click.option(
    "--session", "sessions", multiple=True, metavar="ID", help="A session_id without a device_id."
)
@click.option(
    "--customer", metavar="ID", help="Every device with events of this customer_id, whole."
)
@click.option(
    "--devices", "shared", is_flag=True, help="Also devices that other customers have used."
)
@with_settings
def erase(
    settings: Settings,
    *,
    store: str,
    devices: tuple[str, ...],
    sessions: tuple[str, ...],
    customer: str | None,
    shared: bool,
) -> None:
    """Erase devices from every table and file, and print a receipt for each.

    Run it where the loader runs. It waits until worker and loader have erased them; asking again
    does no harm.
    """
    from pipeline.cli.command import on_kafka
    from pipeline.delivery.erasing import ask
    from pipeline.warehouse.erasing.erasures import ErasureKey
    from pipeline.warehouse.erasing.receipts import receipt_file

    settings = on_kafka(settings)
    keys = [f"d:{device}" for device in devices] + [f"s:{session}" for session in sessions]
    if customer is not None:
        keys += _devices_of(settings, store, customer, shared=shared)
    keys = list(dict.fromkeys(keys))
    if not keys:
        raise click.UsageError("name a --device, a --session or a --customer")
    live = settings.live_database
    secret = ErasureKey.made(live)
    places = ask(settings, [(store, key) for key in keys])
    click.echo(f"{len(keys)} to erase: waiting for worker and loader", err=True)
    for key, (partition, offset) in zip(keys, places, strict=True):
        path = receipt_file(live, secret.hash_of(store, key), partition, offset)
        click.echo(_awaited(path))


def _awaited(path: Path) -> str:
    while not path.exists():
        time.sleep(PAUSE)
    return path.read_text()


def _devices_of(settings: Settings, store: str, customer: str, *, shared: bool) -> list[str]:
    """The device keys of a customer, as the snapshot knows them."""
    from pipeline.warehouse.database import connect_published
    from pipeline.warehouse.erasing.customers import devices_of_customer

    with connect_published(settings.database) as connection:
        found = devices_of_customer(connection, store, customer)
    if not found:
        raise click.ClickException(f"the snapshot holds no event of customer {customer!r}")
    others = [device for device, is_shared in found if is_shared]
    if others and not shared:
        raise click.ClickException(
            f"{len(others)} of the customer's {len(found)} devices have events of other customers,"
            f" as {others[0]!r}: nothing was erased; --devices erases these devices, too, whole"
        )
    return [device for device, _ in found]
