"""One partition's topics in memory, including the changelog that a crash leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
from factories import MINUTE, MORNING, RULES, cart, click, make_event, make_record

from pipeline.domain.erasure import erasure
from pipeline.domain.events import CLOCK_TOLERANCE_MS
from pipeline.domain.outcomes import Outcome
from pipeline.domain.reached import KnownKeys, Reached
from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.devices import Devices
from pipeline.stream.fresh_start import adopted, state_of
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.partition import BatchResult, PartitionState
from pipeline.stream.rows import Pair

_writers = count()


@dataclass(frozen=True)
class FakeRecord:
    """The attributes of an aiokafka record that the partition reads."""

    offset: int
    key: bytes
    value: bytes | None
    timestamp: int = MORNING * 2


@dataclass
class PartitionLog:
    """`beacons`, `outcomes`, the changelog and the group's commit of one partition."""

    rules: Rules = RULES
    number: int = 0
    beacons: list[FakeRecord] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    commit: Checkpoint = field(default_factory=lambda: checkpoint(0))
    all: list[PartitionLog] = field(default_factory=list, repr=False)
    """The partitions among which devices are divided by key; without any, all belong here."""
    memory: int = 1 << 30
    write_bytes: int = 0

    def send(
        self,
        *events: dict[str, Any],
        store: str = "store",
        device: str = "d:device",
        received_at: int | None = None,
        **sent: Any,
    ) -> None:
        """One record with `events`; `sent` is for `make_record`."""
        at = received_at or max(event["timestamp"] for event in events)
        self.append(*make_record(events, store, device, received_at=at, **sent))

    def erase(
        self,
        minute: float,
        *,
        store: str = "store",
        device: str = "d:device",
        customer: str | None = None,
    ) -> None:
        """A record that erases events of a device, or a customer's, up to `minute`."""
        at = MORNING + round(minute * MINUTE)
        self.append(
            *erasure(store, device, received_at=at, customer=customer),
            timestamp=at - 2 * CLOCK_TOLERANCE_MS,
        )

    def append(self, key: bytes, value: bytes, timestamp: int = MORNING * 2) -> None:
        """A record of `beacons`, which Kafka appended at `timestamp` (ms)."""
        self.beacons.append(FakeRecord(len(self.beacons), key, value, timestamp))

    def assigned(self, folder: Path | None = None) -> PartitionState:
        """A worker's partition after assignment and recovery, positioned at the commit.

        What it has not in memory is in `folder`: that of a worker before, or a new one.
        """
        devices = opened(self, folder or Path(mkdtemp()))
        partition = PartitionState(self.number, self.rules, devices, len(self.all))
        recover(devices, self.changelog)
        partition.start_at(self.commit)
        return partition

    def run(
        self, partition: PartitionState, size: int | None = None, *, until: str = "commit"
    ) -> bool:
        """Process one batch, up to where the worker dies: `outcomes`, `states` or `commit`.

        False when nothing is left.
        """
        start = partition.checkpoint.offset
        records = self.beacons[start : None if size is None else start + size]
        if not records:
            return False
        result: BatchResult = partition.process(records, committed=self.commit.offset)
        for other, strays in result.strays.items():
            for key, value in strays:
                self.all[other].append(key, value or b"")
        self.outcomes += map(outcome_in, result.outcomes)
        if until in ("states", "commit"):
            first = len(self.changelog)
            self.changelog += result.states
            partition.acknowledged(result, (first, len(self.changelog)) if result.states else None)
        if until == "commit":
            self.commit = result.checkpoint
        return True

    def begin_anew(
        self,
        rules: Rules,
        reached: Reached | None,
        known: Iterable[KnownKeys],
        *,
        adoptions: int = 1,
    ) -> None:
        """Let workers go on under adopted `rules`, from what the warehouse has `reached`."""
        self.rules = rules
        self.commit = adopted(
            reached,
            beginning=0,
            topic_id="topic",
            rules=rules.digest(),
            adoptions=adoptions,
            partitions=0,
        )
        self.changelog += [state_of(device, self.commit, rules) for device in known]

    def accepted(self) -> list[Outcome]:
        return first_of_each(self.outcomes)

    def state(self) -> dict[bytes, bytes]:
        """The changelog after compaction."""
        return {key: value for key, value in dict(self.changelog).items() if value is not None}


def visits(
    log: PartitionLog, devices: int = 6, rounds: int = 4, *, apart: int = 20
) -> PartitionLog:
    """Devices that come again, so that each outcome depends on the ones before."""
    for number in range(rounds * devices):
        minute = number // devices * apart + number % devices
        events = [make_event(minute=minute), click(minute), cart(minute, "token")]
        log.send(*events[: 1 + number % 3], device=f"d:{number % devices}")
    return log


def undisturbed(log: PartitionLog) -> PartitionLog:
    alone = PartitionLog(log.rules, beacons=log.beacons)
    alone.run(alone.assigned())
    return alone


def killed(partition: PartitionState) -> None:
    """As kill -9 leaves its folder: what was written stays, what was not is lost."""
    partition.devices.store.abandon()


def opened(log: PartitionLog, folder: Path) -> Devices:
    local = LocalFolder(folder, "", log.rules, {log.number: len(log.changelog)})
    store = local.open(log.number)
    return Devices(
        store, b"%016d" % next(_writers), lambda: log.memory, write_bytes=log.write_bytes
    )


def recover(devices: Devices, changelog: Sequence[Pair], *, fetched: int = 3) -> None:
    """Apply what `devices` lack of `changelog`, as many records at a time as a fetch brings."""
    for start in range(devices.next_offset, len(changelog), fetched):
        some = changelog[start : start + fetched]
        devices.apply(some, following=start + len(some))


def outcome_in(pair: Pair) -> Outcome:
    return msgspec.json.decode(pair[1] or b"", type=Outcome)


def first_of_each(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What the loader accepts of a partition: the first outcome of each origin, in order."""
    first: dict[int, Outcome] = {}
    for outcome in outcomes:
        first.setdefault(outcome.origin.offset, outcome)
    return [first[offset] for offset in sorted(first)]


def checkpoint(offset: int, stream_time: int | None = None) -> Checkpoint:
    return Checkpoint(
        offset=offset, stream_time=stream_time, topic_id="topic", rules=RULES.digest()
    )
