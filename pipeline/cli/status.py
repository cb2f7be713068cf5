"""`pipeline status`: how far each stage is, for people, scripts and health checks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.span import span
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config import Settings
    from pipeline.status import Status
    from pipeline.status.waiting import Flow


@click.command()
@click.option(
    "--behind",
    type=click.IntRange(min=0),
    help="Exit with 1 if the snapshot is more records behind than this.",
)
@click.option(
    "--older-than",
    callback=span,
    metavar="SPAN",
    help="Exit with 1 if a record has waited longer than this, as 60s, to be in the snapshot.",
)
@click.option(
    "--wait",
    "within",
    callback=span,
    metavar="SPAN",
    help=(
        "First wait until all that ingest's spool and Kafka hold now is in a snapshot of the loader"
        " that runs; exit with 1 after SPAN, as 10m."
    ),
)
@click.option("--disk", is_flag=True, help="Show what takes space on the disk, too.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
@with_settings
def status(
    settings: Settings,
    behind: int | None,
    older_than: timedelta | None,
    within: timedelta | None,
    *,
    disk: bool,
    as_json: bool,
) -> int:
    """Show the progress of each stage by partition, what waits, and what keeps dying."""
    from pipeline.cli.command import show
    from pipeline.monitoring.process_record import ProcessRecord
    from pipeline.printable import printable
    from pipeline.status import state_sizes
    from pipeline.status.disk import disk_use, free
    from pipeline.status.waiting import oldest, spool_lines

    if within is not None:
        _settle(settings, within)
    found, passed, trouble = _found(settings)
    now, processes = datetime.now(UTC), ProcessRecord.recorded(settings.home)
    waited = oldest(found.spool, passed, now)
    trouble += _exceeded(found, waited, behind, older_than)
    trouble += (f"ingest's spool cannot be read: {why}" for why in found.spool.unread)
    if as_json:
        shown = _as_json(settings, found, passed, processes, trouble)
        click.echo(json.dumps(shown | {"oldest_seconds": waited.total_seconds()}, default=str))
    else:
        if found.partitions:
            show(found.table())
        if found.state:
            show(state_sizes.table(found.state))
        click.echo(found.ages(now))
        for line in passed.lines(now) if passed else []:
            click.echo(line)
        for line in spool_lines(found.spool, now):
            click.echo(line)
        click.echo(free(settings))
        for line in processes.lines(now) if processes else []:
            click.echo(printable(line))
        if disk:
            show(disk_use(settings))
    for line in trouble:
        click.echo(printable(f"Error: {line}"), err=True)
    return 1 if trouble else 0


def _settle(settings: Settings, within: timedelta) -> None:
    """Wait; raises `click.ClickException` with what is still awaited."""
    from pipeline.cli.command import on_kafka
    from pipeline.printable import printable
    from pipeline.status.settling import settle
    from pipeline.status.waiting import span as length

    awaited = settle(
        on_kafka(settings),
        within,
        lambda awaited: click.echo(printable(f"waiting: {awaited}"), err=True),
    )
    if awaited:
        raise click.ClickException(printable(f"after {length(within)}: {awaited}"))


def _exceeded(
    found: Status, waited: timedelta, behind: int | None, older_than: timedelta | None
) -> Iterator[str]:
    """Each limit that is exceeded; `waited` is how long the oldest record has."""
    from pipeline.status.waiting import span as length

    # Without Kafka, what waits for it is known.
    least = "at least " if found.behind is None else ""
    lacking = found.spool.records if found.behind is None else found.behind
    if behind is not None and lacking > behind:
        yield f"the snapshot is {least}{lacking:,} records behind, more than {behind:,}"
    if older_than is not None and waited > older_than:
        yield (
            f"a record has waited {length(waited)} to be in the snapshot, longer than"
            f" {length(older_than)}"
        )


def _found(settings: Settings) -> tuple[Status, Flow | None, list[str]]:
    """The status, what waits, and what is wrong."""
    from pipeline.cli.command import on_kafka
    from pipeline.delivery.spooled import spooled
    from pipeline.kafka.diagnosis import require_listener
    from pipeline.kafka.errors import KafkaUnusableError
    from pipeline.kafka.partition_counts import as_on_kafka
    from pipeline.status import Status, status_without_kafka
    from pipeline.status import status as read_status
    from pipeline.status.waiting import flow
    from pipeline.stream.commits import refused_commits

    trouble: list[str] = []
    try:
        settings = on_kafka(settings)
        require_listener(settings)
        settings, trouble = as_on_kafka(settings)
        found = read_status(settings)
        passed = flow(settings, found)
        trouble += refused_commits(settings, topic_id=found.topic_id, rules=None)
    except KafkaUnusableError as error:
        # Why `up` gave up, or which process keeps dying, is shown in either case.
        if (known := status_without_kafka(settings)) is None:
            spool = spooled(settings.home)
            return (
                Status([], None, None, spool=spool),
                None,
                [*trouble, f"{error}; nor is there a snapshot"],
            )
        return known, None, [*trouble, f"{error}; shown is what the snapshot knows"]
    if found.snapshot is not None and found.snapshot.other_topics:
        trouble.append(
            "the snapshot was loaded from other topics than Kafka has now (topic ids differ): "
            + ", ".join(found.snapshot.other_topics)
            + "; start with a new database, or reconnect the old Kafka"
        )
    return found, passed, trouble


def _as_json(
    settings: Settings, found: Status, passed: Flow | None, processes: Any, trouble: list[str]
) -> dict[str, Any]:
    from dataclasses import asdict

    import msgspec

    from pipeline.status.disk import disk_use, free_bytes

    return {
        **asdict(found),
        "behind": found.behind,
        "flow": passed and asdict(passed),
        "up": processes and msgspec.to_builtins(processes),
        "disk": dict(disk_use(settings).rows),
        "disk_free": free_bytes(settings),
        "errors": trouble,
    }
