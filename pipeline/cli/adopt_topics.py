"""`pipeline topics --adopt`: go on with other topics than the warehouse was loaded from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.cli.rules import embedded_kafka

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.domain.reached import KnownKeys, Reached
    from pipeline.warehouse.rebuild.other_topics import Begin


def adopt_topics(settings: Settings) -> int:
    """With loader and workers stopped. Returns the exit code."""
    from pipeline.kafka.admin import check_topics, committed_offsets, create_topics, topic_ids
    from pipeline.stream.handover import hand_over
    from pipeline.topics import group, topics
    from pipeline.warehouse.rebuild.other_topics import follow
    from pipeline.warehouse.resources import Resources

    with embedded_kafka(settings) as address:
        create_topics(address)
        check_topics(address)
        beacons = topics(address).beacons

        def stream(reached: dict[int, Reached], adoptions: int) -> Begin:
            begin = hand_over(address, reached, adoptions)

            def begun(known: Iterator[KnownKeys]) -> dict[int, int]:
                begin(known)
                return committed_offsets(address, group(address), beacons)

            return begun

        is_new = follow(
            settings.live_database,
            settings.database,
            settings.rules,
            topic_id=topic_ids(address, [beacons.name])[beacons.name],
            partitions=settings.partitions,
            stream=stream,
            resources=Resources.of(settings),
            mode=settings.snapshot_mode,
        )
    click.echo(
        "the warehouse goes on with these topics: start the loader and the workers"
        if is_new
        else "the warehouse goes on with these topics already"
    )
    return 0
