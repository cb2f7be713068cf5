"""All commands. Each imports its part of the pipeline when it is called."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.backup import backup, restore
from pipeline.cli.catalog import catalog
from pipeline.cli.erase import erase
from pipeline.cli.export import export
from pipeline.cli.partitions import partitions
from pipeline.cli.query import DATABASE, query
from pipeline.cli.rebuild import rebuild
from pipeline.cli.rules import rules
from pipeline.cli.status import status
from pipeline.cli.stores import stores, zone
from pipeline.cli.topics import topics
from pipeline.cli.trace import trace
from pipeline.cli.verb import with_settings
from pipeline.process.umask import write_for_ourselves

if TYPE_CHECKING:
    from pipeline.config import Settings


@click.group()
@click.version_option(package_name="clickstream-pipeline")
def cli() -> None:
    """Clickstream events from HTTP through Kafka and Faust to DuckDB, exactly once."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:  # DuckDB opens no file of such a name
            raise click.UsageError(f"{argument!a} is not UTF-8: give it another name") from None
    write_for_ourselves()


EXPLAIN = click.option(
    "--explain", is_flag=True, help="Serve /explain: recent events and what is wrong with them."
)


@cli.command()
@EXPLAIN
@with_settings
def up(settings: Settings, *, explain: bool) -> int:
    """Run every process on this machine, with an embedded Kafka unless one is set."""
    from pipeline.devstack.up import Up

    with Up(settings, explain=explain) as running:
        running.announce()
        running.watch()
    return 0


@cli.command()
@click.option("--exit", "and_exit", is_flag=True, help="Exit after the first answer.")
@click.option(
    "--devices",
    default=300,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of sample shoppers.",
)
@with_settings
def demo(settings: Settings, *, and_exit: bool, devices: int) -> int:
    """Run `up`, send sample traffic over HTTP and answer a first question."""
    from pipeline.cli.command import show
    from pipeline.devstack.demo import run

    return run(settings, devices=devices, and_exit=and_exit, show=show)


cli.add_command(stores)
cli.add_command(catalog)
cli.add_command(backup)
cli.add_command(restore)
cli.add_command(export)
cli.add_command(rebuild)
cli.add_command(erase)
cli.add_command(rules)
cli.add_command(topics)
cli.add_command(partitions)
cli.add_command(status)
cli.add_command(query)
cli.add_command(trace)


@cli.command()
@EXPLAIN
@click.option(
    "--explain-anywhere",
    is_flag=True,
    help="The same, for any client that reaches the admin address.",
)
@click.option("--inherited", nargs=2, type=int, hidden=True)  # the sockets of one in a group
@with_settings
def ingest(
    settings: Settings,
    *,
    explain: bool,
    explain_anywhere: bool,
    inherited: tuple[int, int] | None,
) -> int:
    """Receive beacons over HTTP and publish them to Kafka."""
    from pipeline.cli.command import on_kafka
    from pipeline.ingest.server import run

    return run(
        on_kafka(settings),
        explain=explain or explain_anywhere,
        anywhere=explain_anywhere,
        inherited=inherited,
    )


@cli.command()
@with_settings
def worker(settings: Settings) -> int:
    """Deduplicate, sessionize and attribute events, from Kafka to Kafka."""
    from pipeline.cli.command import on_kafka
    from pipeline.stream.worker import run

    return run(on_kafka(settings))


@cli.command()
@with_settings
def load(settings: Settings) -> int:
    """Load outcomes from Kafka into DuckDB and publish snapshots."""
    from pipeline.cli.command import on_kafka
    from pipeline.warehouse.load.loader import run

    return run(on_kafka(settings))


@cli.command()
@with_settings
def dashboard(settings: Settings) -> int:
    """Serve the dashboard over the published snapshot."""
    from pipeline.dashboard import run

    return run(settings)


@cli.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--database", type=click.Path(path_type=Path), required=True, help="Database to create."
)
@click.option(
    "--store", default="local", show_default=True, help="Store for lines that name no store."
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=zone,
    help="IANA time zone of the days of lines that name none.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a line could not be read.")
@with_settings
def local(
    settings: Settings,
    files: tuple[str, ...],
    database: Path,
    store: str,
    timezone: str,
    *,
    strict: bool,
) -> int:
    """Build the same tables from event FILES (NDJSON, .gz, - for stdin) without a broker."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from pipeline.ingest.intake import Intake
    from pipeline.printable import printable
    from pipeline.replay.local import replay

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading", total=None)
        report = replay(
            files,
            database=database,
            rules=settings.rules,
            store=store,
            timezone=timezone,
            intake=Intake.of(settings),
            progress=lambda count: bar.advance(task, count),
        )
    for path, line in report.bad_lines:
        click.echo(printable(f"{path}:{line.line}: {line.reason}"), err=True)
    why = " (`rejected_events` says why)" if report.rejected else ""
    click.echo(
        f"{report.requests} requests, {report.rejected} events rejected{why},"
        f" {len(report.bad_lines)} bad lines; tables in {database}"
    )
    return 1 if strict and report.bad_lines else 0


@cli.command()
@click.argument("files", nargs=-1, required=True)
@with_settings
def validate(settings: Settings, files: tuple[str, ...]) -> int:
    """Print the problems of the events in FILES, and what is repaired. Exit with 1 on a problem."""
    from pipeline.ingest.intake import Intake
    from pipeline.printable import printable
    from pipeline.replay.validate import findings

    intake = Intake.of(settings)
    has_problems = False
    for path in files:
        for finding in findings(path, intake):
            has_problems = has_problems or finding.is_problem
            click.echo(printable(finding.text))
    return 1 if has_problems else 0


def _http_url(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} does not start with http:// or https://", param=option)
    return value


@cli.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--url", callback=_http_url, help="Default: the local ingest, as configured.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    required=True,
    help="TOKEN, or STORE=TOKEN for each store, as `pipeline stores add` has printed it, or as"
    " `pipeline up` has left the first one in PIPELINE_HOME/first-token.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a line could not be read.")
@with_settings
def send(
    settings: Settings,
    files: tuple[str, ...],
    url: str | None,
    tokens: tuple[str, ...],
    *,
    strict: bool,
) -> int:
    """Send event FILES to a running ingest over HTTP."""
    from pipeline.devstack.addresses import ingest_address
    from pipeline.replay.send import send as send_files

    named = [token.split("=", 1) if "=" in token else ["", token] for token in tokens]
    url = url or ingest_address(settings).url("beacon")
    return send_files(list(files), url, dict(named), strict=strict, max_events=settings.max_events)


@cli.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--devices", default=300, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--end",
    type=click.DateTime(),
    help="Time of the last event, in UTC. Default: now.",
)
@click.option("--days", default=7, show_default=True, type=click.IntRange(min=1))
def traffic(seed: int, devices: int, end: datetime | None, days: int) -> None:
    """Generate sample requests as NDJSON."""
    from pipeline.traffic import lines

    last = datetime.now(UTC) if end is None else end.replace(tzinfo=UTC)
    for line in lines(seed, devices=devices, end=last, span=timedelta(days=days)):
        sys.stdout.buffer.write(line)


@cli.command()
@DATABASE
@with_settings
def check(settings: Settings, database: Path | None) -> int:
    """Compare the snapshot's archive with its SHA-256 sums, then run every check of sql/checks.

    Exit with 1 if one fails.
    """
    from pipeline.cli.command import show
    from pipeline.printable import printable
    from pipeline.warehouse.archive.integrity import damaged_of
    from pipeline.warehouse.database import connect_published
    from pipeline.warehouse.queries import broken

    path = database or settings.database
    if path.exists():
        problems = damaged_of(path)
        if problems:
            for line in ("broken  archive_files", *problems):
                click.echo(printable(line))
            # They would fail for want of a file, or say of wrong bytes what they say of a bug.
            click.echo("no other check was run: restore these files first", err=True)
            return 1
    failed = 0
    with connect_published(path) as connection:
        click.echo("holds   archive_files")
        for name, answer in broken(connection).items():
            click.echo(f"{'broken' if answer.rows else 'holds':<7} {name}")
            if answer.rows:
                failed += 1
                show(answer)
    return 1 if failed else 0


def main(arguments: Iterable[str] | None = None) -> Any:
    """Run the command `pipeline`."""
    return cli.main(args=None if arguments is None else list(arguments), prog_name="pipeline")
