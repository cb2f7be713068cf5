"""`pipeline query`: answers of the published snapshot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings

FORMATS = ("table", "csv", "json", "markdown")
DATABASE = click.option(
    "--database",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Database to read. Default: the published snapshot.",
)


def _named(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param=option)
    names = Counter(value.partition("=")[0] for value in values)
    for name, count in names.items():
        if count > 1:
            raise click.BadParameter(f"{name} has {count} values", param=option)
    return values


def _questions(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    from pipeline.warehouse.queries import questions

    return [
        CompletionItem(name, help=purpose)
        for name, purpose in questions().items()
        if name.startswith(begun)
    ]


def _parameters(given: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    from pipeline.warehouse.parameters import grains, parameters_of

    names = parameters_of(given.params.get("name") or "")
    whole = [f"grain={grain}" for grain in grains()] if begun.startswith("grain=") else []
    items = whole or [f"{name}=" for name in names]
    return [CompletionItem(item) for item in items if item.startswith(begun)]


@click.command()
@click.argument("name", required=False, shell_complete=_questions)
@click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_named,
    shell_complete=_parameters,
    help="A parameter of the question, as in `-p store=shop -p first=2026-06-01`.",
)
@click.option("--all-time", is_flag=True, help="From the first day with events to the last.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--explain", is_flag=True, help="Print the SQL, with its values, and ask nothing.")
@DATABASE
@click.option(
    "--attach",
    "several",
    multiple=True,
    metavar="NAME=PATH",
    callback=_named,
    help="A snapshot to read with others of other stores; once for each, your own too.",
)
@with_settings
def query(
    settings: Settings,
    name: str | None,
    *,
    parameters: tuple[str, ...],
    form: str,
    database: Path | None,
    several: tuple[str, ...],
    all_time: bool,
    explain: bool,
) -> None:
    """Answer the question NAME, or list all questions."""
    from pipeline.cli.formats import print_as
    from pipeline.warehouse.database import connect_published
    from pipeline.warehouse.limits import limited
    from pipeline.warehouse.parameters import all_days, explained, refuse_malformed
    from pipeline.warehouse.queries import (
        ask,
        questions,
        refuse_unknown,
        refuse_unknown_store,
    )
    from pipeline.warehouse.several import connect_several

    if name is None:
        for question, purpose in questions().items():
            click.echo(f"{question:<24} {purpose}")
        click.echo("Ask with: pipeline query funnel -p store=shop -p first=2026-06-01", err=True)
        return
    values = dict(parameter.split("=", 1) for parameter in parameters)
    _refuse_missing(name, values, all_time=all_time)
    refuse_unknown(name, values)
    refuse_malformed(values)
    if explain and not all_time:
        click.echo(explained(name, values), nl=False)
        return
    if several and database is not None:
        raise click.UsageError("--database is one snapshot, --attach is several")
    memory = settings.query_memory_bytes
    snapshots = dict(each.split("=", 1) for each in several)
    with (
        connect_several({name: Path(path) for name, path in snapshots.items()}, memory=memory)
        if snapshots
        else connect_published(database or settings.database, memory=memory) as connection,
        limited(connection, settings.query_timeout),
    ):
        if all_time:
            values |= _days_taken(name, all_days(connection))
        if explain:
            click.echo(explained(name, values), nl=False)
            return
        answer = ask(connection, name, values)
        if "store" in values:
            refuse_unknown_store(connection, values["store"])
    print_as(answer, form)
    if not answer.rows:
        click.echo("no rows: nothing in the snapshot matches", err=True)


def _refuse_missing(name: str, values: dict[str, str], *, all_time: bool) -> None:
    """Raises `click.UsageError` with the parameters that are missing, and what they may be."""
    from pipeline.warehouse.parameters import DAYS, allowed, required

    days = [day for day in DAYS if day in values]
    if all_time and days:
        raise click.UsageError(f"--all-time takes the place of -p {days[0]}=YYYY-MM-DD")
    wanted = [each for each in required(name) if each not in values]
    missing = [each for each in wanted if not (all_time and each in DAYS)]
    if missing:
        needs = " ".join(f"-p {each}={allowed(each)}" for each in missing)
        instead = ", or --all-time" if set(missing) & set(DAYS) else ""
        raise click.UsageError(f"query {name!r} also needs {needs}{instead}")


def _days_taken(name: str, days: dict[str, str]) -> dict[str, str]:
    from pipeline.warehouse.parameters import parameters_of

    return {each: day for each, day in days.items() if each in parameters_of(name)}
