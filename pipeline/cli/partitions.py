"""`pipeline partitions N`: divide the devices among more partitions, for more workers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from pipeline.cli.rules import embedded_kafka
from pipeline.cli.verb import with_settings

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.domain.reached import Reached
    from pipeline.warehouse.rebuild.begin_anew import GoOn


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@with_settings
def partitions(settings: Settings, number: int) -> None:
    """Divide the devices among NUMBER partitions, with the workers and the loader stopped.

    Ingest may go on. Kafka can add partitions and take none away.
    """
    from pipeline.warehouse.rebuild.partitions import grow
    from pipeline.warehouse.resources import Resources

    with ExitStack() as kafka:

        def stream(reached: dict[int, Reached], era: str, adoptions: int) -> GoOn | None:
            from pipeline.kafka.admin import add_partitions
            from pipeline.stream.handover import hand_over, has_begun, refuse_running_workers

            address = kafka.enter_context(embedded_kafka(settings))
            more = address.model_copy(update={"partitions": number})
            refuse_running_workers(more)
            add_partitions(more, number)
            if has_begun(more, era):
                return None
            return hand_over(more, reached, adoptions)

        is_new = grow(
            settings.live_database,
            settings.rules,
            stream=stream,
            resources=Resources.of(settings),
        )
    click.echo(
        f"{'there are now' if is_new else 'there were already'} {number} partitions: set"
        f" PIPELINE_PARTITIONS={number} everywhere, and start the workers and the loader"
    )
