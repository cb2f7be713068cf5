"""Which offsets of each partition of `beacons` a warehouse holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.warehouse.database import attached
from pipeline.warehouse.snapshots.copying import copied


@dataclass(frozen=True, slots=True)
class Reach:
    """(first offset, offset after the last) by topic id and partition."""

    spans: dict[tuple[str, int], tuple[int, int]]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Reach:
        """As of the last commit. Raises duckdb.Error when there is no ledger."""
        rows = connection.execute(
            "SELECT topic_id, partition, first_origin, next_origin FROM ledger"
        ).fetchall()
        return cls({(topic, partition): (first, end) for topic, partition, first, end in rows})

    @classmethod
    def of_file(cls, path: Path) -> Reach:
        """Of a file that this process has not opened, even while another process writes to it."""
        try:
            with attached(path) as connection:
                return cls.of(connection)
        except duckdb.IOException:
            # The other process's lock does not cover a copy.
            with (
                copied(path, path.with_name(f"{path.name}.read")) as aside,
                attached(aside) as connection,
            ):
                return cls.of(connection)


def lost(old: Reach, new: Reach) -> str | None:
    """What `new` lacks of `old`, as text for an error message; None when it holds all."""
    for (topic, partition), (first, end) in sorted(old.spans.items()):
        held = new.spans.get((topic, partition))
        if held is None or first < held[0]:
            return f"partition {partition} of topic {topic} from offset {first}"
        if held[1] < end:
            return f"partition {partition} of topic {topic} up to offset {end}"
    return None
