"""`pipeline trace`: what became of an event or of a record."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

    from pipeline.config import Settings
    from pipeline.status import Status


def _not_empty(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.UsageError("an empty id names no event")
    return value


@click.command()
@click.argument("wanted", metavar="EVENT_ID|EVENT_KEY|PARTITION:OFFSET", callback=_not_empty)
@with_settings
def trace(settings: Settings, wanted: str) -> int:
    """Say what became of an event, by its event_id or key, or of a record of `beacons`.

    Exit with 1 if nothing is known of it, or not everything could be searched.
    """
    from pipeline.cli.command import on_kafka
    from pipeline.kafka.diagnosis import require_listener
    from pipeline.kafka.errors import KafkaUnusableError
    from pipeline.kafka.partition_counts import as_on_kafka
    from pipeline.printable import printable
    from pipeline.status import status, status_without_kafka

    problems: list[str] = []
    away = None
    try:
        settings = on_kafka(settings)
        require_listener(settings)
        settings, _ = as_on_kafka(settings)
        found: Status | None = status(settings)
    except KafkaUnusableError as error:
        away, found = str(error), status_without_kafka(settings)
    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", wanted)
    lines = (
        _of_record(settings, found, int(place[1]), int(place[2]))
        if place
        else _of_event(settings, found, wanted, problems, is_away=away is not None)
    )
    if away is not None:
        problems.append(f"{away}; {_known_without_kafka(found, lines)}")
    for line in lines:
        click.echo(printable(line))
    for line in problems:
        click.echo(printable(f"Error: {line}"), err=True)
    if not (lines or problems):
        click.echo(
            f"nothing is known of {printable(wanted)}: it was not answered 204, is in the spool of"
            " an ingest with another home, or is older than what is kept",
            err=True,
        )
    return 0 if lines and not problems else 1


def _known_without_kafka(found: Status | None, lines: list[str]) -> str:
    if found is None:
        return "nor is there a snapshot"
    return "this is what is known here" if lines else "the snapshot knows nothing of it"


def _of_record(settings: Settings, found: Status | None, partition: int, offset: int) -> list[str]:
    """Lines. Raises `click.ClickException` where no such record was written."""
    from pipeline.status.trace import NoRecordError, stage_of, trace_record

    if found is None:
        return []
    try:
        stage = stage_of(found, partition, offset)
    except NoRecordError as error:
        raise click.ClickException(str(error)) from None
    return [
        stage,
        *_in_snapshot(settings, partial(trace_record, partition=partition, offset=offset)),
    ]


def _of_event(
    settings: Settings,
    found: Status | None,
    event_id: str,
    problems: list[str],
    *,
    is_away: bool,
) -> list[str]:
    """Lines; what could not be searched is added to `problems`."""
    from pipeline.delivery.instance_lock import SpoolError
    from pipeline.status.trace import trace_event, trace_unpublished
    from pipeline.status.unpublished import search, search_spool

    lines = _in_snapshot(settings, partial(trace_event, event_id=event_id))
    try:
        # Before Kafka: what ingest sends meanwhile is found there.
        if kept := search_spool(settings, event_id):
            lines.append(f"in ingest's spool, records that name it and wait for Kafka: {kept:,}")
    except SpoolError as error:
        problems.append(f"ingest's spool cannot be read: {error}")
    if found is not None and not is_away:
        waiting = search(settings, found, event_id)
        lines += trace_unpublished(found, waiting)
        if waiting.unsearched:
            problems.append(
                f"{waiting.unsearched:,} records that wait are not searched: ask again when fewer"
                " wait"
            )
    return lines


def _in_snapshot(
    settings: Settings, ask: Callable[[duckdb.DuckDBPyConnection], Iterator[str]]
) -> list[str]:
    from pipeline.warehouse.database import NoSnapshotError, connect_published
    from pipeline.warehouse.limits import limited

    try:
        with (
            connect_published(settings.database, memory=settings.query_memory_bytes) as connection,
            limited(connection, settings.query_timeout),
        ):
            return list(ask(connection))
    except NoSnapshotError:
        return []
