"""How far a partition is done: the offset to continue at, and what must be known there."""

from __future__ import annotations

import msgspec

from pipeline.domain.process import horizon_at
from pipeline.domain.rules import Rules, era


class StateError(Exception):
    """What Kafka holds of this pipeline does not fit together; one line that says what to do."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A position in `beacons`. It is committed as one value, and read from the commit alone.

    `stream_time` (T6, epoch ms) is the one before the record at `offset`, None until an event's
    time has been read; `rules` is the digest of the rules that judged the records before it.
    Where rules were adopted, so many times, the state began anew, without keys of before
    `late_before` (ms): what is older stays late under any rules (decision 0032). `partitions` is
    the number among which devices are divided, 0 in a commit of an earlier version.
    """

    offset: int
    stream_time: int | None
    topic_id: str
    rules: str
    adoptions: int = 0
    late_before: int | None = None
    partitions: int = 0

    @property
    def era(self) -> str:
        """What outcomes and states name."""
        return era(self.rules, self.adoptions)

    def horizon(self, rules: Rules, stream_time: int | None) -> int:
        """The time (ms) before which an event is late (T7); `stream_time` before its record."""
        horizon = horizon_at(stream_time, rules)
        return horizon if self.late_before is None else max(horizon, self.late_before)

    def metadata(self) -> str:
        """The text that is committed beside the offset."""
        return msgspec.json.encode(self).decode()

    def refuse_mismatch(
        self, *, topic_id: str, rules: str, partition: int, partitions: int
    ) -> None:
        """Raise `StateError` if it is of another topic, other rules or other `partitions`."""
        if self.topic_id != topic_id:
            raise StateError(
                f"partition {partition}: the group's commit is of another topic (id"
                f" {self.topic_id}, now {topic_id}): beacons was recreated; set another"
                " PIPELINE_TOPIC_PREFIX, or delete the group and its topics"
            )
        if self.rules != rules:
            raise StateError(
                f"partition {partition}: the state was made by other rules ({self.rules}, here"
                f" {rules}): give the worker the settings and the version that it had, or adopt the"
                " new ones with `pipeline rules adopt`"
            )
        if self.partitions not in (0, partitions):
            raise StateError(
                f"partition {partition}: the state was made with {self.partitions} partitions, now"
                f" there are {partitions}: devices are in others now; stop all workers and the"
                f" loader, and run `pipeline partitions {partitions}`"
            )


def read_checkpoint(offset: int, metadata: str, *, partition: int) -> Checkpoint:
    """The checkpoint in a commit. Raises `StateError` if another program has committed."""
    try:
        checkpoint = msgspec.json.decode(metadata, type=Checkpoint)
    except (msgspec.DecodeError, RecursionError):
        checkpoint = None
    if checkpoint is None or checkpoint.offset != offset:
        raise StateError(
            f"partition {partition}: the commit at offset {offset} carries no stream time: another"
            " program has committed for this group; reset the group to its former offset"
        )
    return checkpoint


def refuse_missing_commit(partition: int, *, outcomes: int, changelog: int) -> None:
    """Raise `StateError` if the group has no commit although the topics hold records.

    `outcomes` and `changelog` are the end offsets of the partition's topics.
    """
    if outcomes or changelog:
        raise StateError(
            f"partition {partition}: the group has committed nothing, but outcomes holds"
            f" {outcomes} records and the changelog {changelog}: beacons was recreated, or the"
            " group's commits were deleted; set another PIPELINE_TOPIC_PREFIX"
        )
