"""Goes on with other topics, where those that a warehouse was loaded from are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.domain.reached import KnownKeys, Reached
from pipeline.domain.rules import Rules
from pipeline.warehouse.database import DatabaseError
from pipeline.warehouse.held import HeldRules
from pipeline.warehouse.rebuild.begin_anew import begin_with_keys, known_keys, reached
from pipeline.warehouse.rebuild.rebuild import settled
from pipeline.warehouse.resources import Resources
from pipeline.warehouse.snapshots.publish import PublishError, SnapshotPublisher

Begin = Callable[[Iterator[KnownKeys]], dict[int, int]]
"""Lets the workers begin with these keys. Returns the first offset that they answer, by partition.
"""

# As if the records that the warehouse holds were those before the first one.
_FOLLOWED = """
    UPDATE ledger SET
        topic_id = $topic_id,
        first_origin = offsets[partition] - records,
        next_origin = offsets[partition]
    FROM (SELECT map($partitions, $starts) AS offsets)
"""


def follow(
    live: Path,
    snapshot: Path,
    rules: Rules,
    *,
    topic_id: str,
    partitions: int,
    stream: Callable[[dict[int, Reached], int], Begin],
    resources: Resources | None = None,
    mode: int = 0o400,
) -> bool:
    """Have `live` go on from the beginning of `beacons` with the id `topic_id`.

    No row of an event changes; False if it goes on there already. What the lost topics held and it
    had not loaded is lost. If this process is killed, doing it again does what is left. Raises
    `DatabaseError`.
    """
    if not live.exists():
        raise DatabaseError(f"there is no {live}: a new one begins with the topics that there are")
    with settled(live, resources) as connection:
        held = HeldRules.of(connection)
        if refusal := held.refusal(rules):
            raise DatabaseError(f"{live} {refusal}")
        before = reached(connection, held)
        if {each.topic_id for each in before.values()} <= {topic_id}:
            return False
        if max(before) >= partitions:
            raise DatabaseError(
                f"{live} was loaded from {max(before) + 1} partitions: create the topics with so"
                f" many (PIPELINE_PARTITIONS={max(before) + 1})"
            )
        publisher = SnapshotPublisher(connection, live, snapshot, mode=mode)
        try:
            publisher.publish()  # refuses to replace one that holds more
            former = [*held.former, held.era]
            anew = {
                number: Reached(topic_id, None, each.stream_time, each.horizon)
                for number, each in before.items()
            }
            starts = stream(anew, len(former))(known_keys(connection, held))
            # Of the lost topics: no later one could take its place.
            snapshot.unlink()
            connection.execute("BEGIN")
            begin_with_keys(connection)
            connection.execute("UPDATE rules SET former = ?", [former])
            connection.execute(
                _FOLLOWED,
                {
                    "topic_id": topic_id,
                    "partitions": list(starts),
                    "starts": list(starts.values()),
                },
            )
            connection.execute("DELETE FROM positions")
            connection.execute("COMMIT")
            publisher.publish()
        except PublishError as error:
            raise DatabaseError(str(error)) from None
    return True
