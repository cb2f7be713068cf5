"""`pipeline backup` and `pipeline restore`: a home into a folder, and back into an empty home."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.erase import home_of
from pipeline.cli.rebuild import progress_bar
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings

FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.command()
@FOLDER
@click.option(
    "--verify",
    is_flag=True,
    help="Take none: compare the backups in DIR with their SHA-256. Exit with 1 on damage.",
)
@with_settings
def backup(settings: Settings, folder: Path, *, verify: bool) -> int:
    """Add a backup of snapshot, archive and stores to DIR, while everything runs.

    It copies what the newest backup in DIR does not have. One that was killed goes on where it
    stopped.
    """
    return _verify(folder) if verify else _back_up(settings, folder)


def _back_up(settings: Settings, folder: Path) -> int:
    from pipeline.warehouse.backup.contents import Backup, BackupError, other_files
    from pipeline.warehouse.backup.erased_since import keep
    from pipeline.warehouse.backup.last_backup import LastBackup
    from pipeline.warehouse.backup.taking import back_up

    home = settings.home.resolve()
    if folder.resolve().is_relative_to(home):
        raise BackupError(
            f"{folder} is in {home}, which it is to save, and would be lost with it: choose a"
            " folder elsewhere, on another disk"
        )
    with progress_bar() as progress:
        made = back_up(
            settings.database,
            folder,
            others=other_files(settings),
            settings=_shown(settings),
            at=datetime.now(UTC),
            progress=progress,
        )
    keep(settings.live_database, folder)
    held = Backup.read(made)
    LastBackup(held.taken_at, str(made.resolve()), len(held.files), held.bytes).record(
        settings.home
    )
    click.echo(f"{made}: {len(held.files)} files, {held.bytes / 1e6:,.1f} MB")
    return 0


def _verify(folder: Path) -> int:
    from pipeline.printable import printable
    from pipeline.warehouse.backup.verifying import damaged

    with progress_bar() as progress:
        found = damaged(folder, progress)
    for line in found:
        click.echo(printable(line))
    if not found:
        click.echo(f"the backups in {folder} are whole")
    return 1 if found else 0


@click.command()
@FOLDER
@click.option(
    "--erasures",
    "kept",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Receipts and key of what was erased; by default those beside the backups.",
)
@click.option("--no-erasures", "is_whole", is_flag=True, help="Nothing was erased since.")
@with_settings
def restore(settings: Settings, folder: Path, *, kept: Path | None, is_whole: bool) -> None:
    """Restore a backup, DIR or the newest in it, into PIPELINE_HOME, which must be empty.

    What was erased since is erased again. Every file is compared with its SHA-256. One that was
    killed goes on where it stopped.
    """
    from pipeline.warehouse.backup.contents import Backup, newest_backup, other_files
    from pipeline.warehouse.backup.erased_since import erase_again, kept_beside
    from pipeline.warehouse.backup.restoring import restore_home
    from pipeline.warehouse.resources import Resources

    Backup.read(newest_backup(folder) or folder)  # raises where there is none
    kept = kept or kept_beside(folder)
    if kept is None and not is_whole:
        raise click.ClickException(
            f"{folder} holds no list of what was erased since, which would come back: name the"
            " folder of the receipts with --erasures, or say --no-erasures"
        )
    left: list[date] = []

    def last() -> None:
        if kept is not None and not is_whole:
            left.extend(erase_again(home_of(settings), kept))

    with progress_bar() as progress:
        source, held = restore_home(
            folder,
            settings.live_database,
            others=other_files(settings),
            progress=progress,
            resources=Resources.of(settings),
            mode=settings.snapshot_mode,
            last=last,
        )
    for day in left:
        click.echo(f"once the loader has caught up: `pipeline erase --before {day}` again")
    for name, value in sorted(held.settings.items() - _shown(settings).items()):
        click.echo(f"not set here: {name}={value}")
    click.echo(
        f"{source} is restored into {settings.home}: start the loader, which goes on from the"
        " positions in it"
    )


def _shown(settings: Settings) -> dict[str, str]:
    """The variables that are not the default, but for passwords and the home itself."""
    hidden = {"PIPELINE_KAFKA_SASL_PASSWORD", "PIPELINE_HOME"}
    variables = settings.environment()
    return {name: value for name, value in variables.items() if name not in hidden}
