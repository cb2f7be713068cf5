"""What the commands share: settings, one-line errors, and tables."""

from __future__ import annotations

import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable
from difflib import get_close_matches
from typing import Concatenate, NoReturn, ParamSpec

import click
import duckdb
from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.cli.interrupt import INTERRUPTED, exit_by_exception, interrupted
from pipeline.cli.system_errors import no_room, reason
from pipeline.cli.verb_log import VerbLog
from pipeline.config import PREFIX, Settings
from pipeline.devstack.broker.jars import BrokerError
from pipeline.devstack.supervisor import StartError
from pipeline.ingest.open_files import TooFewFilesError
from pipeline.ingest.stores import StoresError
from pipeline.kafka.away import embedded_address
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.kafka.security import refuse_for_our_own
from pipeline.printable import printable
from pipeline.sockets import ListenError
from pipeline.stream.checkpoint import StateError
from pipeline.warehouse.cause import cause
from pipeline.warehouse.damage import is_damage
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.limits import LimitError
from pipeline.warehouse.queries import QueryResult

# Errors whose message is shown as it is.
USER_ERRORS = (
    BrokerError,
    DatabaseError,
    KafkaUnusableError,
    LimitError,
    ListenError,
    StartError,
    StateError,
    StoresError,
    TooFewFilesError,
)

P = ParamSpec("P")
# Columns of a file or pipe: as many as the table needs.
_WIDE = 1_000_000


# Kubernetes sets these in every container of a namespace with a service called `pipeline`.
_KUBERNETES_NAME = re.compile(
    r"(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)


class UnknownSettingError(click.ClickException):
    """An unknown setting: exit code 1, as for one whose value is wrong."""


def run_with_settings(
    command: Callable[Concatenate[Settings, P], int | None], *args: P.args, **kwargs: P.kwargs
) -> NoReturn:
    """Run `command` and exit. An error that a user can cause is one line, with exit code 1."""
    exit_by_exception()
    verb_log = VerbLog(getattr(command, "__name__", ""))
    with verb_log.last_words():
        code = _run(command, verb_log, *args, **kwargs)
    sys.exit(code or 0)


def _run(
    command: Callable[Concatenate[Settings, P], int | None],
    verb_log: VerbLog,
    *args: P.args,
    **kwargs: P.kwargs,
) -> int | None:
    try:
        try:
            settings = user_settings()
            verb_log.apply(settings)
            return command(settings, *args, **kwargs)
        except Exception:
            if interrupted.is_set():
                sys.exit(INTERRUPTED)
            raise
    except USER_ERRORS as error:
        raise click.ClickException(printable(" ".join(str(error).split()))) from None
    except BrokenPipeError:
        raise  # `| head`; click ends in silence
    except (OSError, duckdb.Error, EOFError, zlib.error) as error:
        raise click.ClickException(printable(one_line(error))) from None


def user_settings() -> Settings:
    """From the environment and `.env`. Raises `click.ClickException`."""
    try:
        refuse_unknown({*os.environ, *DotEnvSettingsSource(Settings).env_vars})
        refuse_undecoded()
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        example = ", as in PT30M or 00:30:00" if first["type"].startswith("time_delta") else ""
        given = os.environ.get(name, first["input"])
        line = f"setting {name}={given}: {first['msg']}{example}"
        raise click.ClickException(printable(line)) from None
    except UnicodeDecodeError as error:
        raise click.ClickException(f".env is not text: {error}") from None


def refuse_unknown(names: set[str]) -> None:
    """Refuse unknown names, which would be ignored silently. Raises `UnknownSettingError`."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(names):
        own = name.upper().removeprefix(PREFIX)
        if own != name.upper() and own not in known and not _KUBERNETES_NAME.fullmatch(own):
            near = get_close_matches(own, known, n=1)
            advice = (
                f"did you mean {PREFIX}{near[0]}?"
                if near
                else "docs/settings.md lists all settings"
            )
            raise UnknownSettingError(printable(f"{PREFIX}{own} is not a setting: {advice}"))


def refuse_undecoded() -> None:
    """Refuse values that are not text: DuckDB opens no file of such a name."""
    for name, value in os.environ.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            if name.upper().startswith(PREFIX):
                raise click.ClickException(f"setting {name} is not UTF-8: {value!a}") from None


def one_line(error: Exception) -> str:
    """A line for an error of a library."""
    if isinstance(error, (gzip.BadGzipFile, EOFError, zlib.error)):
        return f"a .gz file is damaged ({error}): create it again"
    if isinstance(error, OSError) and error.strerror:
        return reason(error)
    if full := no_room(str(error)):
        return full
    line = cause(error)
    if isinstance(error, duckdb.CatalogException):
        return (
            f"{line} The database is of another version of the pipeline: this version's loader"
            " upgrades it and publishes a new snapshot; create a file of `pipeline local` again"
        )
    if is_damage(error):
        return f"the database is damaged ({line}): see `is damaged` in docs/operating.md"
    return line


def on_kafka(settings: Settings) -> Settings:
    """`settings` with the address of Kafka: the configured one, or that of a running `up`."""
    if settings.kafka_bootstrap_servers:
        return settings
    refuse_for_our_own(settings)
    address = embedded_address(settings.home)
    if address is None:
        raise KafkaUnusableError(
            "no Kafka: start `pipeline up`, or set PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        )
    return settings.model_copy(update={"kafka_bootstrap_servers": address})


def show(answer: QueryResult) -> None:
    """Print a table, of which nothing is cut. A tuple in a row becomes the lines of one cell."""
    table = Table(*(Column(_cell(name), overflow="fold") for name in answer.columns))
    for row in answer.rows:
        table.add_row(*map(_cell, row))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    if not sys.stdout.isatty():
        console.width = console.measure(table).maximum
    console.print(table)


def _cell(value: object) -> Text:
    # In a plain string rich would interpret "[link=…]" as markup and ":smile:" as an emoji.
    if isinstance(value, tuple):
        return Text("\n").join(map(_cell, value))
    return Text("" if value is None else printable(str(value)))
