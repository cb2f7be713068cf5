"""How far a partition is done: the offset to go on at, and what must be known there."""

from __future__ import annotations

import msgspec


class StateError(Exception):
    """What Kafka holds of this pipeline does not fit together; one line that says what to do."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A position in `beacons`; it is committed whole, and read from the commit alone.

    `stream_time` (T6, epoch ms) is that before the record at `offset`, None where no event's
    time has been read yet; `rules` the digest they were judged by.
    """

    offset: int
    stream_time: int | None
    topic_id: str
    rules: str

    def metadata(self) -> str:
        """What stands beside the offset in the group's commit."""
        return msgspec.json.encode(self).decode()

    def refuse_others(self, *, topic_id: str, rules: str, partition: int) -> None:
        """Raise `StateError` unless the mark was made on this topic and by these rules."""
        if self.topic_id != topic_id:
            raise StateError(
                f"partition {partition}: the group's commit is of another topic (id"
                f" {self.topic_id}, now {topic_id}): beacons was made anew; set another"
                " PIPELINE_TOPIC_PREFIX, or delete the group and its topics"
            )
        if self.rules != rules:
            raise StateError(
                f"partition {partition}: the state was made by other rules ({self.rules}, here"
                f" {rules}): set the gap, lookback and lateness back, or start under another"
                " PIPELINE_TOPIC_PREFIX"
            )


def mark_of(offset: int, metadata: str, *, partition: int) -> Checkpoint:
    """The mark in a commit. Raises `StateError` where anyone else has committed."""
    try:
        mark = msgspec.json.decode(metadata, type=Checkpoint)
    except (msgspec.DecodeError, RecursionError):
        mark = None
    if mark is None or mark.offset != offset:
        raise StateError(
            f"partition {partition}: the commit at offset {offset} carries no stream time: another"
            " program has committed for this group; reset it to what it was"
        )
    return mark


def refuse_a_missing_mark(partition: int, *, outcomes: int, changelog: int) -> None:
    """Raise `StateError` where the group has committed nothing beside topics that hold records.

    `outcomes` and `changelog` are the ends of the partition's topics.
    """
    if outcomes or changelog:
        raise StateError(
            f"partition {partition}: the group has committed nothing, but outcomes holds"
            f" {outcomes} records and the changelog {changelog}: beacons was made anew, or the"
            " group's commits were deleted; start under another PIPELINE_TOPIC_PREFIX"
        )
