"""`pipeline rebuild`: make the warehouse again from its events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.warehouse.rebuild.rebuild import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on the terminal, for as long as the rebuild lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("opening", total=None)
        yield lambda name, done, steps: bar.update(
            task, description=name, completed=done, total=steps
        )


@click.command()
@click.option(
    "--from-snapshot",
    is_flag=True,
    help="Start from the published snapshot: the live database is lost.",
)
@with_settings
def rebuild(settings: Settings, *, from_snapshot: bool) -> None:
    """Recompute every derived table from the events, with the loader stopped."""
    from pipeline.warehouse.rebuild.rebuild import rebuild as rebuild_live
    from pipeline.warehouse.rebuild.rebuild import restore
    from pipeline.warehouse.resources import Resources

    live = settings.live_database
    with progress_bar() as progress:
        if from_snapshot:
            restore(settings.database, live)
        rebuild_live(live, settings.rules, resources=Resources.of(settings), progress=progress)
    click.echo(f"{live} is rebuilt and every check holds: start the loader")
