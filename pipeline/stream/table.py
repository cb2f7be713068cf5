"""The one Faust table: each partition's devices, recovered from and written to the changelog."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import faust
import lmdb
from faust.tables.table import Table
from faust.types import TP

from pipeline.config import Settings
from pipeline.stream.cause import cause
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.devices import Devices
from pipeline.stream.local_folder import LocalFolder
from pipeline.stream.partition import PartitionState
from pipeline.stream.read_ahead import ReadAhead
from pipeline.stream.rows import WRITER_BYTES
from pipeline.stream.standby import Standby
from pipeline.stream.state_figures import Held, ReadingRate, known_rate
from pipeline.stream.transport import BatchSchema

log = logging.getLogger(__name__)


class DeviceTable(Table[bytes, Any]):
    """Partitions by number instead of Faust's store, so that a device is decoded at most once.

    Faust decides when a changelog is read, but for what `read_ahead` has read by then; `Devices`
    applies its records. `memory` is how many bytes of devices stay decoded. `recovered` gets how
    many records of the changelog were applied.
    """

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        *,
        local: LocalFolder,
        standby: Standby,
        memory: int,
        end: Callable[[str], None],
        recovered: Callable[[int], None],
        **options: Any,
    ) -> None:
        super().__init__(app, **options)
        self._settings = settings
        self._local = local
        self._standby = standby
        self._memory = memory
        self._end = end
        self._recovered = recovered
        self._partitions: dict[int, PartitionState] = {}
        self._ahead: ReadAhead | None = None
        self.rate = ReadingRate(known_rate(local.path))

    def partition(self, number: int) -> PartitionState:
        """The partition as this assignment holds it."""
        held = self._partitions.get(number)
        if held is None:
            self._standby.release(number)
            store = self._local.open(number)
            devices = Devices(store, os.urandom(WRITER_BYTES), self._share)
            held = PartitionState(number, self._local.rules, devices, self.partitions or 0)
            self._partitions[number] = held
        return held

    def _share(self) -> int:
        return self._memory // max(1, len(self._partitions))

    def persisted_offset(self, tp: TP) -> int | None:
        """The last offset of the changelog that needs not be read; None: all of it."""
        try:
            following = self.partition(tp.partition).devices.next_offset
        except (OSError, lmdb.Error) as error:
            self._end(f"partition {tp.partition}: its local state cannot be opened: {error}")
            raise
        return following - 1 if following else None

    def checkpoint(self, number: int) -> Checkpoint | None:
        """The position of a partition; None before its first batch."""
        held = self._partitions.get(number)
        return held.checkpoint if held is not None and held.has_started else None

    def held(self) -> Iterator[Held]:
        """What this assignment holds, written to its store: one at rest has no batch to do it."""
        for number, partition in self._partitions.items():
            devices = partition.devices
            if partition.has_started:
                devices.write_due()
            yield number, devices.store, devices.memory_bytes

    def is_current(self, partition: PartitionState) -> bool:
        """Whether `partition` belongs to the current assignment."""
        return self._partitions.get(partition.number) is partition

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget revoked partitions: from now on another worker may write them."""
        if self._ahead is not None:
            self._ahead.stop()
        self.rate.begin()
        for number in numbers:
            held = self._partitions.pop(number, None)
            if held is not None:
                self._local.reached(number, held.devices.next_offset)
                held.devices.close()

    async def read_ahead(self, places: Iterable[TP]) -> tuple[dict[TP, int], bool]:
        """Read new stores' changelogs before Faust does, as far as there is time.

        Returns the last offsets that need not be read, and whether there was no time for all.
        Nothing of a partition that is revoked meanwhile.
        """
        held = {
            tp: self._partitions[tp.partition] for tp in places if tp.partition in self._partitions
        }
        new = {tp: partition for tp, partition in held.items() if partition.devices.is_new}
        if not new:
            return {}, False
        loop = asyncio.get_running_loop()
        ahead = ReadAhead(
            self._settings,
            {tp.partition: partition.devices for tp, partition in new.items()},
            # Faust gives up what it waits for after twice that, silently.
            self.app.conf.broker_request_timeout / 2,
            lambda records: loop.call_soon_threadsafe(self._count, records),
        )

        def run() -> bool:
            try:
                return ahead.run()
            except Exception as error:  # at once: what was read may not be kept
                self._end(f"the changelog cannot be read: {cause(error)}")
                raise

        self._ahead = ahead
        self.rate.before()
        try:
            is_cut = await asyncio.to_thread(run)
        finally:
            ahead.stop()
        read = {
            tp: partition.devices.next_offset - 1
            for tp, partition in new.items()
            if self.is_current(partition) and partition.devices.next_offset
        }
        return read, is_cut

    def _count(self, records: int) -> None:
        self._recovered(records)
        self.rate.applied(records)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply batches of the changelog during recovery."""
        self.rate.before()
        try:
            for event in batch:
                devices = self.partition(event.message.partition).devices
                records = event.value.records
                pairs = [(record.key, record.value) for record in records]
                devices.apply(pairs, following=records[-1].offset + 1)
                self._count(len(records))
        except Exception as error:  # noqa: BLE001  # Faust would log it and continue with half a state
            self._end(f"the changelog cannot be read: {cause(error)}")

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Keep what was read: a partition without records would read it again at each start."""
        try:
            for partition in self._partitions.values():
                partition.devices.finish_recovery()
        except (OSError, lmdb.Error) as error:
            self._end(cause(error))
        await super().on_recovery_completed(active_tps, standby_tps)

    def _new_changelog_topic(self, **_retention: Any) -> Any:
        return self.app.topic(
            self._changelog_topic_name(),
            schema=BatchSchema(),
            partitions=self.partitions,
            acks=False,
            allow_empty=True,
        )
