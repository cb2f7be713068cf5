"""One partition's devices and stream time, and what its next batch makes of them (architecture).

Pure, except for the random writer id that it is given: no Kafka, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from pipeline.domain.device import Device, encode, forget
from pipeline.domain.outcomes import Origin, Outcome
from pipeline.domain.process import process, read
from pipeline.domain.rules import Rules
from pipeline.kafka.partitioner import home
from pipeline.stream.checkpoint import Checkpoint, StateError
from pipeline.stream.recovered import Recovered

_outcomes = msgspec.json.Encoder()

Pair = tuple[bytes, bytes | None]
"""Key and value of a record; None is a tombstone."""


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
    writer: bytes
    partitions: int = 0
    recovered: Recovered = field(default_factory=Recovered)
    _checkpoint: Checkpoint | None = None
    _devices: dict[bytes, Device] = field(default_factory=dict)
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
            self.writer = mark + self.writer[len(mark) :]
            self.recovered.mark = mark

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
        changed: dict[bytes, Device] = {}
        events = failed = offset = 0
        for record in records:
            offset, key = record.offset, record.key or b""
            beacon = read(record.value or b"", appended_at=record.timestamp)
            if (other := self._home(key)) != self.number:
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
            device = self._device(key)
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
                changed[key] = device
                events += len(beacon.events) + len(beacon.failed)
                failed += len(outcome.failed)
            stream_time = beacon.latest(stream_time)
        self._checkpoint = msgspec.structs.replace(
            checkpoint, offset=offset + 1, stream_time=stream_time
        )
        states = self._states(changed, committed)
        return BatchResult(strays, outcomes, states, self._checkpoint, events, failed)

    def _home(self, key: bytes) -> int:
        if not self.partitions or not key:
            return self.number
        device = self._devices.get(key)
        # It has been found to be here. The state of a former era, which does not count, has none.
        if device is not None and device.origin >= 0:
            return self.number
        return home(key, self.partitions)

    def _device(self, key: bytes) -> Device:
        device = self._devices.get(key)
        if device is None:
            device = self._devices[key] = self.recovered.device(key) or Device()
        return device

    def _states(self, changed: dict[bytes, Device], committed: int) -> list[Pair]:
        # Tombstones wait for a batch: our own values that replace those keys are acknowledged now.
        states, self._tombstones = self._tombstones, []
        horizon = self._horizon()
        for key, device in changed.items():
            forget(device, horizon=horizon, rules=self.rules)
            states.append((self.writer + key, encode(device)))
            self._tombstones += self._others(key)
            self._devices[key] = self._devices.pop(key)  # the sweep begins with the longest idle
        return states + self._swept(2 * len(changed) + 16, horizon, committed)

    def _swept(self, count: int, horizon: int, committed: int) -> list[Pair]:
        """Tombstones of empty devices, among the `count` that were looked at longest ago."""
        for key in list(islice(self.recovered.keys(), count)):
            self._device(key)
        states: list[Pair] = []
        for key in list(islice(self._devices, count)):
            device = self._devices.pop(key)
            forget(device, horizon=horizon, rules=self.rules)
            # Records from the committed offset on may be read again, with the state before them.
            if device.is_empty() and device.origin < committed:
                states += [*self._others(key), (self.writer + key, None)]
            else:
                self._devices[key] = device
        return states

    def _others(self, key: bytes) -> list[Pair]:
        writers = self.recovered.forget_writers(key)
        return [(writer + key, None) for writer in writers if writer != self.writer]

    def _horizon(self) -> int:
        return self.checkpoint.horizon(self.rules, self.checkpoint.stream_time)

    def __len__(self) -> int:
        return len(self._devices) + len(self.recovered)
