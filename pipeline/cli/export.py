"""`pipeline export`: the snapshot's tables as files for other engines."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.rebuild import progress_bar
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings


def _date(_: click.Context, __: click.Parameter, value: datetime | None) -> date | None:
    return None if value is None else value.date()


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("tables", nargs=-1)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_date,
    help="First day, of the store's days (T10).",
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), callback=_date, help="Last day, included."
)
@click.option("--delta", is_flag=True, help="Write Delta tables (needs the extra `delta`).")
@with_settings
def export(
    settings: Settings,
    folder: Path,
    tables: tuple[str, ...],
    since: date | None,
    until: date | None,
    *,
    delta: bool,
) -> None:
    """Export TABLES, or all, to DIR as Parquet files by day: the days that have changed.

    DIR/export.json names the files. Readers go by it, never by the folder.
    """
    from pipeline.warehouse.export.exporting import export as export_tables
    from pipeline.warehouse.export.selection import Selection
    from pipeline.warehouse.resources import Resources

    with progress_bar() as progress:
        done = export_tables(
            settings.database,
            folder,
            Selection(tables, since, until),
            format="delta" if delta else "parquet",
            resources=Resources.of(settings),
            progress=progress,
        )
    click.echo(f"{folder}: {done.days:,} of {done.compared:,} days written, {done.rows:,} rows")
