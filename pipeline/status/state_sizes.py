"""What the workers' state takes: in memory, on disk, in the changelog; and how long to read it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.kafka.topic_sizes import topic_bytes
from pipeline.stream.state_figures import Figures, read_figures
from pipeline.topics import topics
from pipeline.warehouse.queries import QueryResult


@dataclass(frozen=True)
class StateSize:
    """Of one partition; None is unknown. Those of a standby are not in `memory_bytes`.

    `recovery_seconds` is how long its owner would take without the local state: a compacted
    changelog has about as many records as devices, read as fast as the worker read its last one.
    """

    partition: int
    devices: int | None
    memory_bytes: int | None
    disk_bytes: int | None
    changelog_bytes: int | None
    recovery_seconds: float | None


def state_sizes(settings: Settings) -> list[StateSize]:
    """A row for each partition; what a worker knows comes from those of this home.

    Raises `KafkaUnusableError` and OSError.
    """
    changelog = topic_bytes(settings, topics(settings).changelog)
    owned: dict[int, Figures] = {}
    disk: dict[int, int] = {}
    for one in read_figures(settings.home):
        disk[one.partition] = disk.get(one.partition, 0) + one.disk_bytes
        if not one.is_standby or one.partition not in owned:
            owned[one.partition] = one
    return [
        _size(number, owned.get(number), disk.get(number), changelog.get(number))
        for number in range(settings.partitions)
    ]


def _size(
    number: int, figures: Figures | None, disk: int | None, changelog: int | None
) -> StateSize:
    if figures is None:
        return StateSize(number, None, None, disk, changelog, None)
    rate = figures.records_per_second
    return StateSize(
        number,
        figures.devices,
        None if figures.is_standby else figures.memory_bytes,
        disk,
        changelog,
        rate and figures.devices / rate,
    )


def table(sizes: list[StateSize]) -> QueryResult:
    """A row for each partition, in megabytes and seconds."""
    columns = ["partition", "devices", "MB in memory", "MB on disk", "MB in the changelog"]
    rows: list[tuple[object, ...]] = [
        (
            one.partition,
            one.devices,
            *(_megabytes(b) for b in (one.memory_bytes, one.disk_bytes, one.changelog_bytes)),
            None if one.recovery_seconds is None else f"{one.recovery_seconds:,.1f}",
        )
        for one in sizes
    ]
    return QueryResult([*columns, "seconds of a recovery"], rows)


def _megabytes(size: int | None) -> str | None:
    return None if size is None else f"{size / 1e6:,.1f}"
