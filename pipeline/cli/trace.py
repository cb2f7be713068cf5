"""`pipeline trace`: what became of an event or of a record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings


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
    from contextlib import suppress

    from pipeline.cli.command import on_kafka
    from pipeline.kafka.diagnosis import require_listener
    from pipeline.kafka.errors import KafkaUnusableError
    from pipeline.printable import printable
    from pipeline.status import status, status_without_kafka
    from pipeline.status.unpublished import search
    from pipeline.trace import (
        NoRecordError,
        stage_of,
        trace_event,
        trace_record,
        trace_unpublished,
    )
    from pipeline.warehouse.database import NoSnapshotError, connect_published
    from pipeline.warehouse.limits import limited

    problem: KafkaUnusableError | None = None
    try:
        settings = on_kafka(settings)
        require_listener(settings)
        found = status(settings)
    except KafkaUnusableError as error:
        known = status_without_kafka(settings)
        if known is None:
            raise
        problem, found = error, known
    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", wanted)
    lines: list[str] = []
    if place:
        try:
            lines.append(stage_of(found, int(place[1]), int(place[2])))
        except NoRecordError as error:
            raise click.ClickException(str(error)) from None
    with (
        suppress(NoSnapshotError),
        connect_published(settings.database, memory=settings.query_memory_bytes) as connection,
        limited(connection, settings.query_timeout),
    ):
        lines += (
            trace_record(connection, int(place[1]), int(place[2]))
            if place
            else trace_event(connection, wanted)
        )
    unsearched = 0
    if not place and problem is None:
        waiting = search(settings, found, wanted)
        lines += trace_unpublished(found, waiting)
        unsearched = waiting.unsearched
    for line in lines:
        click.echo(printable(line))
    if unsearched:
        click.echo(
            f"Error: {unsearched:,} records that wait are not searched: ask again when fewer wait",
            err=True,
        )
    elif problem is not None:
        rest = "this is what the snapshot knows" if lines else "the snapshot knows nothing of it"
        click.echo(printable(f"Error: {problem}; {rest}"), err=True)
    elif not lines:
        click.echo(
            f"nothing is known of {printable(wanted)}: it was not answered 204, is in ingest's"
            " spool, or is older than what is kept",
            err=True,
        )
    return 0 if lines and not unsearched and problem is None else 1
