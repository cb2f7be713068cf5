"""The one Faust table: each partition's devices, recovered from and written to the changelog."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import faust
from faust.tables.table import Table

from pipeline.domain.rules import Rules
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.partition import PartitionState
from pipeline.stream.recovered import WRITER_BYTES
from pipeline.stream.transport import BatchSchema

log = logging.getLogger(__name__)


class DeviceTable(Table[bytes, Any]):
    """Partitions by number instead of Faust's store, so that a device is decoded at most once.

    Faust decides when a changelog is read; `PartitionState.recovered` applies its records.
    """

    def __init__(
        self, app: faust.App, *, rules: Rules, end: Callable[[str], None], **options: Any
    ) -> None:
        super().__init__(app, **options)
        self._rules = rules
        self._end = end
        self._partitions: dict[int, PartitionState] = {}

    def partition(self, number: int) -> PartitionState:
        """The partition as this assignment holds it."""
        held = self._partitions.get(number)
        if held is None:
            held = PartitionState(
                number, self._rules, os.urandom(WRITER_BYTES), self.partitions or 0
            )
            self._partitions[number] = held
        return held

    def checkpoint(self, number: int) -> Checkpoint | None:
        """The position of a partition; None before its first batch."""
        held = self._partitions.get(number)
        return held.checkpoint if held is not None and held.has_started else None

    def is_current(self, partition: PartitionState) -> bool:
        """Whether `partition` belongs to the current assignment."""
        return self._partitions.get(partition.number) is partition

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget revoked partitions: from now on another worker may write them."""
        for number in numbers:
            self._partitions.pop(number, None)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply batches of the changelog during recovery."""
        try:
            for event in batch:
                recovered = self.partition(event.message.partition).recovered
                for record in event.value.records:
                    recovered.apply(record.key, record.value, offset=record.offset)
        except Exception as error:  # noqa: BLE001  # Faust would log it and continue with half a state
            self._end(f"the changelog cannot be read: {type(error).__name__}: {error}")

    def _new_changelog_topic(self, **_retention: Any) -> Any:
        return self.app.topic(
            self._changelog_topic_name(),
            schema=BatchSchema(),
            partitions=self.partitions,
            acks=False,
            allow_empty=True,
        )
