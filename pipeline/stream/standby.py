"""Keeps local states of partitions that other workers own, so that taking over takes no reading."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pipeline.config import Settings
from pipeline.kafka.security import security
from pipeline.stream.cause import cause
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.local_state import LocalState
from pipeline.stream.rows import ERASED, WRITER_BYTES
from pipeline.stream.state_figures import Held
from pipeline.topics import MAX_RECORD_BYTES, topics

log = logging.getLogger(__name__)

# Between two looks at what there is to follow.
_POLL_MS = 500


@dataclass(slots=True)
class Standby:
    """A small consumer outside the group, because Faust's standbys lose records (traps).

    `end` ends the process: a state that cannot be kept would be missed only at the next failure.
    """

    settings: Settings
    local: LocalFolder
    end: Callable[[str], None]
    _followed: dict[int, LocalState] = field(default_factory=dict)
    _wanted: frozenset[int] = frozenset()
    _awaited: dict[int, int] = field(default_factory=dict)

    def follow_all_but(self, owned: Iterable[int]) -> None:
        """From now on this worker owns the partitions `owned`, and others the rest."""
        numbers = frozenset(range(self.settings.partitions))
        self._wanted = numbers - frozenset(owned) if self.settings.standby else frozenset()

    def release(self, number: int) -> None:
        """Close the state of a partition that this worker is about to own."""
        self._wanted -= {number}
        self._awaited.pop(number, None)
        state = self._followed.pop(number, None)
        if state is not None:
            self.local.reached(number, state.meta.offset)
            state.close()

    def held(self) -> Iterator[Held]:
        """What it follows."""
        return ((number, store, None) for number, store in self._followed.items())

    async def run(self) -> None:
        """Follow the changelogs; it never returns."""
        changelog = topics(self.settings).changelog.name
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers,
            **security(self.settings).for_python(),
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
        )
        try:
            await consumer.start()
            while True:
                opened = self._open()
                places = {TopicPartition(changelog, number) for number in self._followed}
                if places != consumer.assignment():
                    consumer.assign(sorted(places))
                    opened = self._followed
                for number, state in opened.items():
                    consumer.seek(TopicPartition(changelog, number), state.meta.offset)
                if opened:
                    ends = await consumer.end_offsets(places)
                    self._awaited = {
                        place.partition: end
                        for place, end in ends.items()
                        if place.partition in self._followed  # not released meanwhile
                    }
                self._report()
                if not places:
                    await asyncio.sleep(_POLL_MS / 1000)
                    continue
                fetched = await consumer.getmany(*places, timeout_ms=_POLL_MS)
                for place, records in fetched.items():
                    # It may have been released while Kafka was asked.
                    if (held := self._followed.get(place.partition)) is not None:
                        apply(held, records)
        except Exception as error:  # noqa: BLE001  # Faust would restart it without its states
            self.end(f"the standby cannot go on: {cause(error)}")
        finally:
            await consumer.stop()

    def _report(self) -> None:
        for number, end in list(self._awaited.items()):
            if self._followed[number].meta.offset >= end:
                del self._awaited[number]
                log.info("partition %d: ready to take over, at offset %d", number, end)

    def _open(self) -> dict[int, LocalState]:
        new = {number: self.local.open(number) for number in self._wanted - self._followed.keys()}
        self._followed |= new
        return new


def apply(state: LocalState, records: Sequence[Any]) -> None:
    """Write neighbouring `records` of the changelog, from the state's offset or before it."""
    changes: dict[bytes, dict[bytes, bytes | None]] = {}
    has_erased = False
    for record in records:
        if record.key == ERASED:
            has_erased = True
            continue
        writer, device = record.key[:WRITER_BYTES], record.key[WRITER_BYTES:]
        changes.setdefault(device, {})[writer] = record.value
    following = records[-1].offset + 1
    # While Kafka was asked, the partition may have been owned, and be further since.
    if following > state.meta.offset:
        meta = msgspec.structs.replace(
            state.meta,
            offset=following,
            moved_at=time.time(),
            has_erased=has_erased or state.meta.has_erased,
        )
        state.write_unindexed(changes, meta)
        if has_erased:
            state.erased()
