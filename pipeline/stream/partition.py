"""One partition's devices and stream time, and what its next batch makes of them (architecture).

Pure, except for the random writer id that it is given: no Kafka, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipeline.domain.device import Device, forget
from pipeline.domain.outcomes import Origin, Outcome
from pipeline.domain.process import process, read
from pipeline.domain.rules import Rules
from pipeline.kafka.partitioner import home
from pipeline.stream.checkpoint import Checkpoint, StateError
from pipeline.stream.devices import Devices
from pipeline.stream.rows import ERASED, Pair

_outcomes = msgspec.json.Encoder()

# Rows looked at in a batch, in search of what is expired: the more change, the sooner it is found.
_SWEPT_LEAST, _SWEPT_PER_CHANGED = 16, 2


class JumpError(StateError):
    """A batch begins after the next record: the records between have to be read first."""


@dataclass(slots=True)
class BatchResult:
    """What a batch has changed: records for `outcomes`, then for the changelog; the checkpoint.

    `strays` are records of devices of other partitions, by those.
    """

    strays: dict[int, list[Pair]]
    outcomes: list[Pair]
    states: list[Pair]
    checkpoint: Checkpoint
    events: int
    failed: int


@dataclass(slots=True)
class PartitionState:
    """What memory holds of a partition, from its assignment until it is revoked.

    `writer` (16 bytes) is random at each assignment: a worker that was paused and is no longer
    the owner can then overwrite only what it wrote itself. Where rules were adopted it begins with
    their era. The devices are those whose records belong here by their keys, of so many
    `partitions`; with 0 all that come.
    """

    number: int
    rules: Rules
    devices: Devices
    partitions: int = 0
    _checkpoint: Checkpoint | None = None
    _tombstones: list[Pair] = field(default_factory=list)

    @property
    def has_started(self) -> bool:
        """Whether the position of this assignment is known."""
        return self._checkpoint is not None

    @property
    def checkpoint(self) -> Checkpoint:
        """The position after the last batch. Raises `StateError` before `start_at`."""
        if self._checkpoint is None:
            raise StateError(f"partition {self.number} has no position yet")
        return self._checkpoint

    def start_at(self, checkpoint: Checkpoint) -> None:
        """Continue at `checkpoint`, with what has been recovered so far of its era."""
        self._checkpoint = checkpoint
        if checkpoint.adoptions:
            mark = bytes.fromhex(checkpoint.era)
            self.devices.writer = mark + self.devices.writer[len(mark) :]
            self.devices.mark = mark
        self.devices.finish_recovery()

    def new_records(self, records: Sequence[Any]) -> Sequence[Any]:
        """The records at and after the checkpoint; those before it are a redelivery (D3).

        Raises `JumpError` if the first ones are missing, and `StateError` on a hole between them:
        what lies there would be lost.
        """
        expected = self.checkpoint.offset
        first, last = records[0].offset, records[-1].offset
        found = (
            f"partition {self.number}: offset {expected} of beacons was expected, but the batch is"
            f" {first}-{last} with {len(records)} records: something other than ingest writes to"
            " the topic"
        )
        if last - first + 1 != len(records):
            raise StateError(found)
        if first > expected:
            raise JumpError(found)
        return records[expected - first :]

    def process(self, records: Iterable[Any], *, committed: int) -> BatchResult:
        """The outcomes of the next `records`, each with offset, timestamp (ms), key and value.

        `committed` is the offset that the group has acknowledged.
        """
        checkpoint = self.checkpoint
        stream_time, digest = checkpoint.stream_time, checkpoint.era
        strays: defaultdict[int, list[Pair]] = defaultdict(list)
        outcomes: list[Pair] = []
        changed: dict[bytes, None] = {}
        events = failed = offset = 0
        erases = False
        for record in records:
            offset, key = record.offset, record.key or b""
            device = self.devices.get(key)
            beacon = read(record.value or b"", appended_at=record.timestamp)
            if (other := self._home(key, device)) != self.number:
                # Ingest sent it before it knew of new partitions: its device is in another one.
                strays[other].append((key, record.value))
                outcome = Outcome(
                    origin=Origin(checkpoint.topic_id, self.number, offset),
                    rules=digest,
                    stream_time=stream_time,
                    stream_time_after=stream_time,
                )
                outcomes.append((key, _outcomes.encode(outcome)))
                continue
            # At or below the device's origin the outcome is acknowledged already; time still moves.
            if offset > device.origin:
                outcome = process(
                    beacon,
                    device,
                    key=key,
                    origin=Origin(checkpoint.topic_id, self.number, offset),
                    stream_time=stream_time,
                    rules=self.rules,
                    digest=digest,
                    horizon=checkpoint.horizon(self.rules, stream_time),
                )
                outcomes.append((key, _outcomes.encode(outcome)))
                changed[key] = None
                events += len(beacon.events) + len(beacon.failed)
                failed += len(outcome.failed)
                erases |= outcome.erased_at is not None
            stream_time = beacon.latest(stream_time)
        self._checkpoint = msgspec.structs.replace(
            checkpoint, offset=offset + 1, stream_time=stream_time
        )
        states = self._states(changed, committed)
        if erases:
            # Now: what others wrote of the device must not outlive the mark that it is erased.
            states += [*self._tombstones, (ERASED, b"%d" % offset)]
            self._tombstones = []
        return BatchResult(strays, outcomes, states, self._checkpoint, events, failed)

    def _home(self, key: bytes, device: Device) -> int:
        # It has been found to be here. The state of a former era, which does not count, has none.
        if not self.partitions or not key or device.origin >= 0:
            return self.number
        return home(key, self.partitions)

    def _states(self, changed: Iterable[bytes], committed: int) -> list[Pair]:
        # Tombstones wait for a batch: our own values that replace those keys are acknowledged now.
        states, self._tombstones = self._tombstones, []
        horizon, count = self._horizon(), _SWEPT_LEAST
        for key in changed:
            forget(self.devices.get(key), horizon=horizon, rules=self.rules)
            state, tombstones = self.devices.put(key)
            states.append(state)
            self._tombstones += tombstones
            count += _SWEPT_PER_CHANGED
        self.devices.shrink()
        return states + self.devices.expired(horizon, committed=committed, count=count)

    def acknowledged(self, result: BatchResult, span: tuple[int, int] | None) -> None:
        """Kafka has the states of `result`, at the offsets `span`; None: others between them."""
        self.devices.acknowledged(result.states, span)

    def _horizon(self) -> int:
        return self.checkpoint.horizon(self.rules, self.checkpoint.stream_time)

    def __len__(self) -> int:
        return len(self.devices)
