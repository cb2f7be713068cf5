"""What the verbs share: settings, one line for what a user can cause, a table for an answer."""

from __future__ import annotations

import gzip
import logging
import os
import re
import sys
import time
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

from pipeline.cli.interrupt import INTERRUPTED, has_come, tidy_up_from_now_on
from pipeline.config import PREFIX, Settings
from pipeline.devstack.broker.jars import BrokerError
from pipeline.devstack.supervisor import StartError
from pipeline.ingest.stores import StoresError
from pipeline.kafka.errors import KafkaUnusableError
from pipeline.kafka.security import refuse_for_our_own
from pipeline.log_throttle import Seldom
from pipeline.printable import PrintableFormatter, printable
from pipeline.sockets import ListenError
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.limits import LimitError
from pipeline.warehouse.queries import QueryResult

# Those whose message is the line.
USER_ERRORS = (
    BrokerError,
    DatabaseError,
    KafkaUnusableError,
    LimitError,
    ListenError,
    StartError,
    StoresError,
)

P = ParamSpec("P")


# Set in every container beside a service called `pipeline`.
_OF_KUBERNETES = re.compile(r"(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


class UnknownSettingError(click.ClickException):
    """A name that is no setting: one line, without click's lines on usage."""

    exit_code = 2


def run_with_settings(
    command: Callable[Concatenate[Settings, P], int | None], *args: P.args, **kwargs: P.kwargs
) -> NoReturn:
    """Run `command`, and exit; what a user can cause ends in one line and exit code 1."""
    tidy_up_from_now_on()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(message)s"))
    # While Kafka is away its clients would say so many times a second. Each death of a process
    # is worth a line.
    handler.addFilter(Seldom(time.monotonic, but_for="pipeline.devstack.supervisor"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # kafka-python tells of each connection.
    logging.getLogger("kafka").setLevel(logging.WARNING)
    # On a busy machine it takes a step of its own that lasts 0.1 s for an endless one.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    try:
        try:
            code = command(settings_of_the_user(), *args, **kwargs)
        except Exception:
            if has_come.is_set():
                sys.exit(INTERRUPTED)
            raise
    except USER_ERRORS as error:
        raise click.ClickException(printable(" ".join(str(error).split()))) from None
    except BrokenPipeError:
        raise  # `| head`, which click lets pass in silence
    except (OSError, duckdb.Error, EOFError, zlib.error) as error:
        raise click.ClickException(printable(told(error))) from None
    sys.exit(code or 0)


def settings_of_the_user() -> Settings:
    """From the environment and `.env`. Raises `click.ClickException`."""
    try:
        refuse_unknown({*os.environ, *DotEnvSettingsSource(Settings).env_vars})
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
    """A name that is no setting would be ignored without a word. Raises `UnknownSettingError`."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(names):
        own = name.upper().removeprefix(PREFIX)
        if own != name.upper() and own not in known and not _OF_KUBERNETES.fullmatch(own):
            near = get_close_matches(own, known, n=1)
            advice = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md has them all"
            raise UnknownSettingError(printable(f"{PREFIX}{own} is no setting: {advice}"))


def told(error: Exception) -> str:
    """One line of an error that has no line of ours."""
    if isinstance(error, (gzip.BadGzipFile, EOFError, zlib.error)):
        return f"a .gz file is damaged ({error}): make it anew"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    # DuckDB's first line is the error; below it stand the query and its stack.
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, duckdb.CatalogException):
        return f"{line} The database is not one of this version of the pipeline: make it anew"
    return line


def on_kafka(settings: Settings) -> Settings:
    """`settings` with the address of a Kafka: the one configured, or that of a running `up`."""
    if settings.kafka_bootstrap_servers:
        return settings
    refuse_for_our_own(settings)
    port = settings.home / "kafka" / "port"
    if not port.exists():
        raise KafkaUnusableError(
            "no Kafka: start `pipeline up`, or set PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
        )
    return settings.model_copy(
        update={"kafka_bootstrap_servers": f"127.0.0.1:{port.read_text().strip()}"}
    )


def show(answer: QueryResult) -> None:
    """A table on standard output; a tuple in a row is several lines of one cell."""
    table = Table(*(Column(_cell(name)) for name in answer.columns))
    for row in answer.rows:
        table.add_row(*map(_cell, row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _cell(value: object) -> Text:
    # Text, for rich would read a string's "[link=…]" as markup, ":smile:" as a picture.
    if isinstance(value, tuple):
        return Text("\n").join(map(_cell, value))
    return Text("" if value is None else printable(str(value)))
