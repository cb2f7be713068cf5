"""`pipeline trace`: what became of an event or of a record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings


@click.command()
@click.argument("wanted", metavar="EVENT_ID|EVENT_KEY|PARTITION:OFFSET")
@with_settings
def trace(settings: Settings, wanted: str) -> int:
    """Say what became of an event, by its event_id or key, or of a record of `beacons`.

    Exit with 1 if nothing is known of it.
    """
    from contextlib import suppress

    from pipeline.cli.command import on_kafka
    from pipeline.kafka.errors import KafkaUnusableError
    from pipeline.printable import printable
    from pipeline.status import status, status_without_kafka
    from pipeline.trace import stage_of, trace_event, trace_record, waiting_records
    from pipeline.warehouse.database import NoSnapshotError, connect_published
    from pipeline.warehouse.limits import limited

    problem: KafkaUnusableError | None = None
    try:
        settings = on_kafka(settings)
        found = status(settings)
    except KafkaUnusableError as error:
        known = status_without_kafka(settings)
        if known is None:
            raise
        problem, found = error, known
    place = re.fullmatch(r"(\d{1,9}):(\d{1,18})", wanted)
    lines: list[str] = []
    if place:
        lines.append(stage_of(found, int(place[1]), int(place[2])))
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
    if not place and problem is None:
        lines += [stage_of(found, *each) for each in waiting_records(settings, found, wanted)]
    for line in lines:
        click.echo(printable(line))
    if problem is not None:
        rest = "this is what the snapshot knows" if lines else "the snapshot knows nothing of it"
        click.echo(printable(f"Error: {problem}; {rest}"), err=True)
    elif not lines:
        click.echo(
            f"nothing is known of {printable(wanted)}: it was not answered 204, is in ingest's"
            " spool, or is older than what is kept",
            err=True,
        )
    return 0 if lines and problem is None else 1
