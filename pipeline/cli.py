"""One verb per process; the only place that builds Settings and turns errors into one line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
import duckdb
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from pipeline.broker.jars import BrokerError
from pipeline.config import Settings
from pipeline.kafka_admin import KafkaUnusableError, create_topics
from pipeline.warehouse.database import DatabaseError, connect_published
from pipeline.warehouse.queries import Answer, ask, broken, questions

USER_ERRORS = (BrokerError, DatabaseError, KafkaUnusableError, OSError, duckdb.Error)

P = ParamSpec("P")
Command = Callable[P, int | None]


@click.group()
@click.version_option(package_name="clickstream-pipeline")
def cli() -> None:
    """Beacons over HTTP, through Kafka and Faust, to DuckDB: exactly once."""


def with_settings(command: Callable[Concatenate[Settings, P], int | None]) -> Callable[P, None]:
    """Give `command` the settings; what a user can cause ends in one line and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        logging.basicConfig(
            level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr
        )
        try:
            settings = Settings()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = f"PIPELINE_{'_'.join(map(str, first['loc'])).upper()}"
            raise click.ClickException(f"setting {name}: {first['msg']}") from None
        try:
            code = command(settings, *args, **kwargs)
        except USER_ERRORS as error:
            raise click.ClickException(" ".join(str(error).split())) from None
        sys.exit(code or 0)

    return run


def on_kafka(settings: Settings) -> Settings:
    """`settings` with the address of a Kafka: the one configured, or that of a running `up`."""
    if settings.kafka_bootstrap_servers:
        return settings
    port = settings.home / "kafka" / "port"
    if not port.exists():
        raise KafkaUnusableError(
            "no Kafka: start `pipeline up`, or set PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        )
    return settings.model_copy(
        update={"kafka_bootstrap_servers": f"127.0.0.1:{port.read_text().strip()}"}
    )


@cli.command()
@with_settings
def up(settings: Settings) -> int:
    """All processes on this machine, with a Kafka of its own unless one is set."""
    from pipeline.up import Up  # noqa: PLC0415  # its imports are most of a start

    with Up(settings) as running:
        running.announce()
        running.wait()
    return 0


@cli.command()
@click.option("--exit", "and_exit", is_flag=True, help="End after the answer.")
@click.option("--devices", default=300, show_default=True, help="How many shoppers to send.")
@with_settings
def demo(settings: Settings, *, and_exit: bool, devices: int) -> int:
    """`up`, plus sample traffic over HTTP and the answer to a first question."""
    from pipeline.demo import run  # noqa: PLC0415  # as above

    return run(settings, devices=devices, and_exit=and_exit, show=show)


@cli.command()
@with_settings
def ingest(settings: Settings) -> int:
    """HTTP to Kafka."""
    from pipeline.ingest.server import run  # noqa: PLC0415  # each process loads its own part

    return run(on_kafka(settings))


@cli.command()
@with_settings
def worker(settings: Settings) -> int:
    """Kafka to Kafka: deduplicate, sessionize, attribute."""
    from pipeline.stream.worker import run  # noqa: PLC0415  # as above

    return run(on_kafka(settings))


@cli.command()
@with_settings
def load(settings: Settings) -> int:
    """Kafka to DuckDB, and snapshots of it."""
    from pipeline.warehouse.loader import run  # noqa: PLC0415  # as above

    return run(on_kafka(settings))


@cli.command()
@with_settings
def dashboard(settings: Settings) -> int:
    """A page over the snapshot."""
    from pipeline.dashboard import run  # noqa: PLC0415  # as above

    return run(settings)


@cli.command()
@with_settings
def topics(settings: Settings) -> None:
    """Make the topics that are missing."""
    settings = on_kafka(settings)
    made = create_topics(settings, settings.kafka_bootstrap_servers)
    click.echo("made " + ", ".join(made) if made else "all topics are there")


@cli.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--database", type=click.Path(path_type=Path), required=True, help="A new file.")
@click.option("--store", default="local", show_default=True, help="Where a line names none.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a line could not be read.")
@with_settings
def local(
    settings: Settings, files: tuple[str, ...], database: Path, store: str, *, strict: bool
) -> int:
    """The same tables from event FILES (NDJSON, plain or .gz, - for stdin), without a broker."""
    from pipeline.ingest.enrichment import EdgeHeaders  # noqa: PLC0415  # as above
    from pipeline.local import replay  # noqa: PLC0415  # as above

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading", total=None)
        replayed = replay(
            files,
            database=database,
            rules=settings.rules,
            store=store,
            edge=EdgeHeaders.of(settings),
            progress=lambda count: bar.advance(task, count),
        )
    for path, line in replayed.bad_lines:
        click.echo(f"{path}:{line.line}: {line.reason}", err=True)
    click.echo(
        f"{replayed.requests} requests, {replayed.rejected} events rejected,"
        f" {len(replayed.bad_lines)} bad lines; tables in {database}"
    )
    return 1 if strict and replayed.bad_lines else 0


@cli.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--url", default="http://127.0.0.1:8080/beacon", show_default=True)
@click.option(
    "--token", "tokens", multiple=True, required=True, help="TOKEN, or STORE=TOKEN for each store."
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a line could not be read.")
@with_settings
def send(
    _: Settings, files: tuple[str, ...], url: str, tokens: tuple[str, ...], *, strict: bool
) -> int:
    """The same FILES over HTTP."""
    from pipeline.send import send as send_files  # noqa: PLC0415  # as above

    named = [token.split("=", 1) if "=" in token else ["", token] for token in tokens]
    return send_files(list(files), url, dict(named), strict=strict)


@cli.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--devices", default=300, show_default=True)
@click.option(
    "--end",
    type=click.DateTime(),
    help="The last moment, in UTC; the current one where it is not given.",
)
def traffic(seed: int, devices: int, end: datetime | None) -> None:
    """Recorded requests of generated shoppers, as NDJSON."""
    from pipeline.traffic import lines  # noqa: PLC0415  # as above

    last = datetime.now(UTC) if end is None else end.replace(tzinfo=UTC)
    for line in lines(seed, devices=devices, end=last):
        sys.stdout.buffer.write(line)


DATABASE = click.option(
    "--database", type=click.Path(path_type=Path), help="Another file than the snapshot."
)


@cli.command()
@click.argument("name", required=False)
@click.option("-p", "parameters", multiple=True, metavar="NAME=VALUE")
@DATABASE
@with_settings
def query(
    settings: Settings, name: str | None, parameters: tuple[str, ...], database: Path | None
) -> None:
    """The answer to question NAME; without one, the list of questions."""
    if name is None:
        for question, purpose in questions().items():
            click.echo(f"{question:<24} {purpose}")
        return
    values = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
    with connect_published(database or settings.database) as connection:
        show(ask(connection, name, values))


@cli.command()
@DATABASE
@with_settings
def check(settings: Settings, database: Path | None) -> int:
    """Every promise of sql/checks, held against the snapshot; 1 if one is broken."""
    failed = 0
    with connect_published(database or settings.database) as connection:
        for name, answer in broken(connection).items():
            click.echo(f"{'broken' if answer.rows else 'holds':<7} {name}")
            if answer.rows:
                failed += 1
                show(answer)
    return 1 if failed else 0


@cli.command()
@with_settings
def status(settings: Settings) -> None:
    """How far each hop has come, partition by partition."""
    from pipeline.status import status as of_all  # noqa: PLC0415  # as above

    settings = on_kafka(settings)
    found = of_all(settings, settings.kafka_bootstrap_servers)
    show(
        Answer(
            ["partition", "beacons", "committed", "published", "behind"],
            [
                (p.partition, p.end, p.committed, p.published, p.end - (p.published or 0))
                for p in found.partitions
            ],
        )
    )
    click.echo(f"rejected events: {found.rejected_end}, published: {found.rejected_published}")


def show(answer: Answer) -> None:
    """A table on standard output."""
    table = Table(*answer.columns)
    for row in answer.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def main(arguments: Iterable[str] | None = None) -> Any:
    """The command `pipeline`."""
    return cli.main(args=None if arguments is None else list(arguments), prog_name="pipeline")
