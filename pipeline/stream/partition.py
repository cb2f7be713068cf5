"""One partition's devices and stream time, and the answer to its next run (architecture).

Pure but for the random writer id that it is given: no Kafka, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from pipeline.domain.device import Device, encode, forget
from pipeline.domain.outcomes import Origin
from pipeline.domain.process import BEGINNING, answer, read
from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import Checkpoint, StateError
from pipeline.stream.recovered import Recovered

_outcomes = msgspec.json.Encoder()

Pair = tuple[bytes, bytes | None]


class JumpError(StateError):
    """A run begins behind the next record: what lies between has to be read first."""


@dataclass(slots=True)
class BatchResult:
    """What a run has changed: records for `outcomes`, then for the changelog, then the mark."""

    outcomes: list[Pair]
    states: list[Pair]
    mark: Checkpoint
    events: int
    failed: int


@dataclass(slots=True)
class PartitionState:
    """All that memory holds of a partition, from its assignment until it is revoked.

    `writer` (16 bytes) is random at each assignment: a worker that was paused and is no longer
    the owner can then overwrite only what it wrote itself.
    """

    number: int
    rules: Rules
    writer: bytes
    recovered: Recovered = field(default_factory=Recovered)
    _mark: Checkpoint | None = None
    _devices: dict[bytes, Device] = field(default_factory=dict)
    _tombstones: list[Pair] = field(default_factory=list)

    @property
    def has_begun(self) -> bool:
        """Whether the position of this assignment is known."""
        return self._mark is not None

    @property
    def mark(self) -> Checkpoint:
        """The position after the last run. Raises `StateError` before `begin`."""
        if self._mark is None:
            raise StateError(f"partition {self.number} has no position yet")
        return self._mark

    def begin(self, mark: Checkpoint) -> None:
        """Go on at `mark`, with what was recovered up to now."""
        self._mark = mark

    def fresh(self, records: Sequence[Any]) -> Sequence[Any]:
        """Those of `records` that follow on the mark; a redelivery's others are done (D3).

        Raises `JumpError` on a jump, and `StateError` on a hole: what lies in them would be lost.
        """
        expected = self.mark.offset
        first, last = records[0].offset, records[-1].offset
        found = (
            f"partition {self.number}: offset {expected} of beacons was expected, but the run is"
            f" {first}-{last} with {len(records)} records: something other than ingest writes to"
            " the topic"
        )
        if last - first + 1 != len(records):
            raise StateError(found)
        if first > expected:
            raise JumpError(found)
        return records[expected - first :]

    def answer(self, records: Iterable[Any], *, committed: int) -> BatchResult:
        """The answers to the next `records`, each with offset, timestamp (ms), key and value.

        `committed` is the offset that the group has acknowledged.
        """
        mark = self.mark
        stream_time, digest = mark.stream_time, mark.rules
        outcomes: list[Pair] = []
        changed: dict[bytes, Device] = {}
        events = failed = offset = 0
        for record in records:
            offset, key = record.offset, record.key or b""
            device = self._device(key)
            judged = read(record.value or b"", appended_at=record.timestamp)
            # At or below its origin the outcome is acknowledged already; time moves all the same.
            if offset > device.origin:
                outcome = answer(
                    judged,
                    device,
                    key=key,
                    origin=Origin(mark.topic_id, self.number, offset),
                    stream_time=stream_time,
                    rules=self.rules,
                    digest=digest,
                )
                outcomes.append((key, _outcomes.encode(outcome)))
                changed[key] = device
                events += len(judged.events) + len(judged.failed)
                failed += len(outcome.failed)
            stream_time = judged.latest(stream_time)
        self._mark = msgspec.structs.replace(mark, offset=offset + 1, stream_time=stream_time)
        return BatchResult(outcomes, self._states(changed, committed), self._mark, events, failed)

    def _device(self, key: bytes) -> Device:
        device = self._devices.get(key)
        if device is None:
            device = self._devices[key] = self.recovered.device(key) or Device()
        return device

    def _states(self, changed: dict[bytes, Device], committed: int) -> list[Pair]:
        # Tombstones of the run before: the own values that replace those keys are acknowledged.
        states, self._tombstones = self._tombstones, []
        horizon = self._horizon()
        for key, device in changed.items():
            forget(device, horizon=horizon, rules=self.rules)
            states.append((self.writer + key, encode(device)))
            self._tombstones += self._others(key)
            self._devices[key] = self._devices.pop(key)  # the sweep begins with the longest idle
        return states + self._swept(2 * len(changed) + 16, horizon, committed)

    def _swept(self, count: int, horizon: int, committed: int) -> list[Pair]:
        """Tombstones of devices with nothing left, among the `count` longest not looked at."""
        for key in list(islice(self.recovered.keys(), count)):
            self._device(key)
        states: list[Pair] = []
        for key in list(islice(self._devices, count)):
            device = self._devices.pop(key)
            forget(device, horizon=horizon, rules=self.rules)
            # Above the committed offset the records may be read again, by the state before them.
            if device.is_empty() and device.origin < committed:
                states += [*self._others(key), (self.writer + key, None)]
            else:
                self._devices[key] = device
        return states

    def _others(self, key: bytes) -> list[Pair]:
        writers = self.recovered.forget_writers(key)
        return [(writer + key, None) for writer in writers if writer != self.writer]

    def _horizon(self) -> int:
        stream_time = self.mark.stream_time
        return BEGINNING if stream_time is None else stream_time - self.rules.lateness_ms

    def __len__(self) -> int:
        return len(self._devices) + len(self.recovered)
