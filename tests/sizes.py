"""How many bytes an event takes on its way: generated traffic through each hop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import duckdb
import msgspec
from beacons import END

from pipeline.domain.device import encode
from pipeline.domain.outcomes import Outcome
from pipeline.domain.rules import Rules
from pipeline.ingest.intake import Intake
from pipeline.replay.files import BadLine, read_requests
from pipeline.replay.memory_worker import MemoryWorker

Record = tuple[bytes, bytes]


@dataclass
class Hop:
    """Sizes by the number of events of a request, and of a device's state by the keys in it."""

    sizes: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def mean(self, events: int) -> float:
        return mean(self.sizes[events])


@dataclass
class Sizes:
    """Of each request of one device whose events are all valid, and of that device after it."""

    bodies: Hop = field(default_factory=Hop)
    beacons: Hop = field(default_factory=Hop)
    outcomes: Hop = field(default_factory=Hop)
    states: Hop = field(default_factory=Hop)

    def follow(self, traffic: Path, rules: Rules) -> Iterator[tuple[Record, Record, Outcome]]:
        """Measure; each record of `beacons`, that of `outcomes`, and its value."""
        worker, appended_at = MemoryWorker(rules), round(END.timestamp() * 1000)
        with traffic.open("rb") as file:
            for request in read_requests(file):
                assert not isinstance(request, BadLine)
                accepted = Intake().take(
                    request.body,
                    headers=request.headers,
                    sender=request.sender("local"),
                    received_at=0,
                )
                for key, value in accepted.records:
                    outcome = worker.process(key, value, appended_at=appended_at)
                    answer = msgspec.json.encode(outcome)
                    if len(accepted.records) == 1 and not accepted.rejected:
                        events = len(accepted.types)
                        self.bodies.sizes[events].append(len(request.body))
                        self.beacons.sizes[events].append(len(key) + len(value))
                        self.outcomes.sizes[events].append(len(key) + len(answer))
                        device = worker.devices[key]
                        self.states.sizes[len(device.keys)].append(len(encode(device)))
                    yield (key, value), (key, answer), outcome


def bytes_per_row(connection: duckdb.DuckDBPyConnection, table: str) -> float:
    """Bytes of the blocks that `table` takes in the file, as of the last checkpoint, by row."""
    ((used, rows),) = connection.execute(f"""
        WITH segments AS (SELECT * FROM pragma_storage_info('{table}') WHERE persistent),

        blocks AS (
            SELECT block_id FROM segments WHERE block_id >= 0
            UNION
            SELECT unnest(additional_block_ids) FROM segments
        )

        SELECT
            (SELECT count(*) FROM blocks)
            * (SELECT block_size FROM pragma_database_size()),
            (SELECT count(*) FROM {table})
    """).fetchall()
    return used / rows
